package inspect

import (
	"fmt"

	"tributary/shared/job"
	"tributary/shared/readable"
)

// Fit shortens the report until its JSON has at most so many bytes: the columns lose their
// frequent values and histograms, the last ones first, and then the last columns are left out.
func (r *Report) Fit(most int) error {
	size, err := r.size()
	if err != nil || size <= most {
		return err
	}
	if len(r.Suspicions) > mostSuspicions {
		r.Suspicions = r.Suspicions[:mostSuspicions]
	}
	for i := len(r.Columns) - 1; i >= 0 && size > most; i-- {
		c := &r.Columns[i]
		c.Top, c.Odd, c.Truncated = nil, nil, true
		if c.Numbers != nil {
			short := *c.Numbers
			short.Histogram = nil
			c.Numbers = &short
		}
		if i%64 == 0 {
			if size, err = r.size(); err != nil {
				return err
			}
		}
	}
	for size > most && len(r.Columns) > 0 {
		gone := (len(r.Columns) + 7) / 8
		r.Columns = r.Columns[:len(r.Columns)-gone]
		r.Omitted += gone
		if size, err = r.size(); err != nil {
			return err
		}
	}
	if size > most && len(r.Spec) > most/2 {
		r.Spec, r.NoSpec = "", "it is too long for a message"
		size, err = r.size()
	}
	if err == nil && size > most {
		return fmt.Errorf("the report has %d bytes: at most %d fit into a message: %w", size, most, job.ErrFull)
	}
	return err
}

func (r *Report) size() (int, error) {
	text, err := readable.JSON(r)
	return len(text), err
}
