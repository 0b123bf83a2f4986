package history

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tributary/shared/job"
	"tributary/shared/ledger"
)

// pageLen is the number of marks in one page beside the ledger: half of what the ledger
// allows.
const pageLen = ledger.MaxResult / 2 / MarkBytes

// Store stores the marks of the steps from … from+len(marks)-1 beside the ledger, and
// returns the names of their units. It is idempotent. Other callers may store pages that
// overlap: they hold the same marks.
func Store(ctx context.Context, l ledger.Results, lay ledger.Layout, from int64, marks []ledger.Mark) (units []string, err error) {
	for page := range slices.Chunk(marks, pageLen) {
		unit := fmt.Sprintf("%d-%d", from, from+int64(len(page)))
		if _, err := l.PutEvaluation(ctx, lay, ledger.History, unit, AppendMarks(nil, page)); err != nil {
			return units, fmt.Errorf("store history %s: %w", unit, err)
		}
		from, units = from+int64(len(page)), append(units, unit)
	}
	return units, nil
}

// Load reads all pages that are stored beside the ledger. It fails with job.ErrCorrupt when
// one is damaged, or when two pages disagree.
func Load(ctx context.Context, l ledger.Results, lay ledger.Layout) (*History, error) {
	pages, err := l.Evaluations(ctx, lay, ledger.History)
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	h := &History{}
	for unit, data := range pages {
		begin, _, _ := strings.Cut(unit, "-")
		from, err := strconv.ParseInt(begin, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("history %.40q: %w: %w", unit, err, job.ErrCorrupt)
		}
		marks, err := DecodeMarks(data)
		if err == nil {
			err = h.Add(from, marks)
		}
		if err != nil {
			return nil, fmt.Errorf("history %.40q: %w", unit, err)
		}
	}
	return h, nil
}
