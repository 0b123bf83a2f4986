package ingest

import (
	"context"
	"fmt"

	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// libsvm finds the features of LIBSVM files: those of the training source, and the same
// ones for a given test source.
func (w *work) libsvm(ctx context.Context, o *job.LIBSVMOptions, f files, s *survey) error {
	s.features = &tabular.Features{}
	if o != nil {
		s.features.Base = &o.Base
	}
	if w.svm != nil {
		s.features = w.svm.Fixed()
	}
	err := w.withAll(ctx, f.field, s.sources, func(_ int, content *tabular.Source) error { return s.features.Read(content) })
	if err != nil {
		return err
	}
	if w.svm == nil {
		from := "from 1 on"
		switch {
		case o != nil:
			from = fmt.Sprintf("from %d on, as data.libsvm says", o.Base)
		case s.features.Zero:
			from = "from 0 on, because a row has the index 0"
		}
		w.say("%s: the indices of features count %s, up to %d", f.field, from, s.features.Most)
		w.svm = s.features
	}
	if s.features.Queries {
		w.say("%s: qid is left out", f.field)
	}
	return nil
}

// openLIBSVM opens a file whose features are known.
func openLIBSVM(content *tabular.Source, s *survey) *records {
	file, names := tabular.OpenLIBSVM(content, s.features), s.features.Names()
	return &records{names: names, index: indexOf(names), next: file.Next, unit: "line", line: file.Line}
}
