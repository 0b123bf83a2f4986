package ingest

import (
	"context"
	"errors"

	"tributary/shared/dataset/tabular"
)

func (w *work) openParquet(context.Context, *tabular.Source) (*records, error) {
	return nil, errors.New("parquet")
}
