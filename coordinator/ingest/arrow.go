package ingest

import (
	"tributary/shared/dataset/arrow"
	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// openArrow opens an Arrow file, whose footer is at its end, or an Arrow stream. It reads a
// copy, as openParquet does.
func (w *work) openArrow(d *job.Data, content *tabular.Source, s *survey, k int) (*records, error) {
	c, err := w.copyOf(content, s, k)
	if err != nil {
		return nil, err
	}
	file, err := arrow.Open(c, c.size())
	if err != nil {
		return nil, err
	}
	return w.columnar(d, file, file.Names, file.Kinds), nil
}
