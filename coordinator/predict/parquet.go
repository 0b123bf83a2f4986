package predict

import (
	"fmt"
	"io"
	"slices"

	"tributary/shared/dataset"
	"tributary/shared/dataset/parquet"
	"tributary/shared/registry"
)

// newParquet returns a printer of a Parquet file. Ids are texts, as they are in the input.
// A prediction is a text for a classification, and a number otherwise; probabilities are
// 32-bit floats, which they are in the model.
func newParquet(w, aside io.Writer, m *registry.Model, names []string, ids int) (*columns, error) {
	of := make([]parquet.Column, len(names))
	probabilities := len(names) - len(m.Card.Classes)
	for i, name := range names {
		of[i].Name = name
		switch {
		case i < ids:
			of[i].Type = parquet.TextType
		case i == 0:
			of[i].Type = parquet.IntType // the row's number
		case i >= probabilities:
			of[i].Type = parquet.FloatType
		case len(m.Card.Classes) == 0:
			of[i].Type = parquet.RealType
		}
	}
	file, err := parquet.NewWriter(w, of)
	if err != nil {
		return nil, fmt.Errorf("--output-format: %w", err)
	}
	c := &columns{aside: aside, close: file.Close}
	c.write = func(row []any) error {
		row = slices.Clone(row)
		for i, v := range row {
			switch v := v.(type) {
			case dataset.Cell:
				if row[i] = v.Text; v.JSON && v.Text == "null" {
					row[i] = nil
				}
			case float32:
				if of[i].Type == parquet.RealType {
					row[i] = float64(v)
				}
			}
		}
		return file.Write(row)
	}
	return c, nil
}
