package ingest

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"tributary/shared/access"
	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// Querier is an Opener that asks databases.
type Querier interface {
	// Query starts a statement. A fault that a user can correct fails with job.ErrInvalid.
	Query(ctx context.Context, source, statement string) (tabular.Rows, error)
}

// queryTime bounds the time that a query and the reading of its rows take.
const queryTime = time.Hour

// answer holds the rows of a query. A database is asked once, because it may give other
// rows, or another order, the next time.
type answer struct {
	names []string
	kinds []tabular.Kind
	cells *scratch // of each cell its length as a uvarint, and its bytes
}

// ask copies the rows of a query to a scratch.
func (w *work) ask(ctx context.Context, f files) (*answer, error) {
	if f.query == "" {
		return nil, fmt.Errorf("%s: missing: want the statement that gives the rows: %w", f.queryField, job.ErrInvalid)
	}
	named := func(err error) error { return fmt.Errorf("%s %q: %w", f.field, access.Show(f.source), err) }
	from, ok := w.Sources.(Querier)
	if !ok {
		return nil, named(fmt.Errorf("this program reads no databases: %w", job.ErrInvalid))
	}
	within, cancel := context.WithTimeout(ctx, queryTime)
	defer cancel()
	rows, err := from.Query(within, f.source, f.query)
	if err != nil {
		return nil, named(w.late(ctx, err))
	}
	defer rows.Close()
	cells, err := w.space.copy(&encoded{rows: rows, left: w.limit()}, w.limit())
	if err != nil {
		return nil, named(w.late(ctx, err))
	}
	if !job.Ordered(f.query) {
		w.say("%s has no ORDER BY: the database may give the rows in another order the next time, and the job then has another result", f.queryField)
	}
	return &answer{names: rows.Names(), kinds: rows.Kinds(), cells: cells}, nil
}

// late explains the error of a query that took too long.
func (*work) late(ctx context.Context, err error) error {
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the query took over %v: want a faster one, or its result in a file: %w", queryTime, job.ErrInvalid)
	}
	return err
}

// encoded is the encoded rows of a query as a stream of bytes.
type encoded struct {
	rows tabular.Rows
	left int64
	row  []byte
	at   int
}

func (e *encoded) Read(p []byte) (int, error) {
	if e.at == len(e.row) {
		cells, err := e.rows.Next()
		if err != nil {
			return 0, err
		}
		e.row, e.at = e.row[:0], 0
		for _, cell := range cells {
			e.row = append(binary.AppendUvarint(e.row, uint64(len(cell))), cell...)
		}
		if e.left -= int64(len(e.row)); e.left < 0 {
			return 0, fmt.Errorf("over the limit of the bytes of a source: want fewer rows or columns: %w", job.ErrInvalid)
		}
	}
	n := copy(p, e.row[e.at:])
	e.at += n
	return n, nil
}

// records reads the rows from the first on.
func (a *answer) records() *records {
	in := bufio.NewReaderSize(io.NewSectionReader(a.cells, 0, a.cells.size()), 64<<10)
	cells, row := make([]string, len(a.names)), 0
	var text []byte
	next := func() ([]string, error) {
		for i := range cells {
			n, err := binary.ReadUvarint(in)
			if err != nil {
				if i > 0 {
					err = io.ErrUnexpectedEOF
				}
				return nil, err
			}
			if uint64(cap(text)) < n {
				text = make([]byte, n)
			}
			text = text[:n]
			if _, err := io.ReadFull(in, text); err != nil {
				return nil, io.ErrUnexpectedEOF
			}
			cells[i] = string(text)
		}
		row++
		return cells, nil
	}
	return &records{
		names: a.names, kinds: a.kinds, index: indexOf(a.names), next: next,
		unit: "row", line: func(int) int { return row },
	}
}
