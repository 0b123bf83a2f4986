package gradienttest

import (
	"context"
	"fmt"

	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/job"
)

// Sequences returns a dataset of fields with the rows of a float table: each sample is
// `length` consecutive rows of a block. Rows that are left at the end of a block are
// dropped. The input is x float32 [length, Features]. The target is y int32 [length] for
// classes, and float32 [length, Targets] for numbers. mask, if not nil, says which elements
// of y are masked.
func Sequences(ctx context.Context, store blob.Store, m *dataset.Manifest, length int, mask func(position int) bool) (*dataset.Manifest, error) {
	y := dataset.Field{Name: "y", DType: dataset.Float32, Shape: []int{length, m.Targets}, Target: true}
	if len(m.Classes) > 0 {
		y.DType, y.Shape, y.Masked = dataset.Int32, []int{length}, mask != nil
	}
	out := &dataset.Manifest{
		Version: dataset.FieldsVersion, Classes: m.Classes, Splits: map[job.Split][]dataset.BlockRef{},
		Fields: dataset.Schema{{Name: "x", DType: dataset.Float32, Shape: []int{length, m.Features}}, y},
	}
	for split, refs := range m.Splits {
		for _, ref := range refs {
			data, err := store.Get(ctx, ref.Digest)
			if err != nil {
				return nil, err
			}
			table, err := dataset.DecodeBlock(data)
			if err != nil {
				return nil, err
			}
			b, err := dataset.NewBlock(out.Fields, table.Rows/length)
			if err != nil {
				return nil, fmt.Errorf("block of %d rows in samples of %d: %w", table.Rows, length, err)
			}
			copy(b.Field(0).Float32(0, b.Rows), table.X)
			if y.DType == dataset.Float32 {
				copy(b.Field(1).Float32(0, b.Rows), table.Y)
			} else {
				classes := b.Field(1).Int32(0, b.Rows)
				for i := range classes {
					if classes[i] = int32(table.Y[i]); mask != nil && mask(i%length) {
						classes[i] = job.Ignored
					}
				}
			}
			data = dataset.Encode(b)
			digest, err := store.Put(ctx, data)
			if err != nil {
				return nil, err
			}
			out.Splits[split] = append(out.Splits[split], dataset.BlockRef{Digest: digest, Rows: b.Rows, Bytes: len(data)})
		}
	}
	return out, out.Validate()
}
