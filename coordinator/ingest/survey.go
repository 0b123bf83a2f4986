package ingest

import (
	"context"
	"fmt"
	"slices"

	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// A source of named columns is read twice. A survey first counts rows and decides what
// each column is. Then the cells are read into the table. So a table needs memory only
// for its numbers and codes.

// survey is the result of the first reading.
type survey struct {
	rows     int
	sources  []string // the files of the source, in order
	names    []string // of the columns, in the order of the first file
	tallies  []tally
	keys     *tabular.Keys     // of JSON lines
	copies   []*scratch        // of Parquet and Arrow files
	asked    *answer           // of a database
	features *tabular.Features // of LIBSVM files
	detected []string          // what was detected in the files
	when     *tally            // counts the times by which the rows are split as dates; nil if there are none
	whenAt   int               // the column of when
	observer Observer          // sees each row, or nil
	row      []string          // that the observer sees
}

// survey reads the files of a source once.
func (w *work) survey(ctx context.Context, spec *job.Spec, f files) (*survey, error) {
	s := &survey{observer: w.observer}
	var err error
	if spec.Data.Format == job.SQL {
		s.sources = []string{f.source}
		s.asked, err = w.ask(ctx, f)
	} else {
		s.sources, err = w.list(ctx, spec.Data.Format, f)
	}
	if err != nil {
		return nil, err
	}
	if spec.Data.Format == job.LIBSVM {
		if err := w.libsvm(ctx, spec.Data.LIBSVM, f, s); err != nil {
			return nil, err
		}
	}
	if spec.Data.Format == job.JSONL {
		s.keys = &tabular.Keys{}
		if err := w.withAll(ctx, f.field, s.sources, func(_ int, content *tabular.Source) error { return s.keys.Read(content) }); err != nil {
			return nil, err
		}
	}
	err = w.each(ctx, &spec.Data, f, s, func(file *records) error {
		if err := s.begin(spec, file); err != nil {
			return err
		}
		return s.read(ctx, file)
	})
	if err != nil {
		return nil, err
	}
	if s.rows == 0 {
		return nil, fmt.Errorf("%s: no rows after the header: %w", f.field, job.ErrInvalid)
	}
	s.decimals()
	for _, note := range s.detected {
		w.say("%s: %s", f.field, note)
	}
	return s, nil
}

// begin prepares the tallies for a file. All files have the same columns, in any order.
func (s *survey) begin(spec *job.Spec, file *records) error {
	d := &spec.Data
	for _, note := range file.detected {
		if !slices.Contains(s.detected, note) {
			s.detected = append(s.detected, note)
		}
	}
	if s.tallies != nil {
		return file.same(s.names)
	}
	s.names = file.names
	s.tallies = make([]tally, len(file.names))
	labels := map[string]bool{}
	for _, name := range d.Label {
		labels[name] = true
	}
	for i, name := range file.names {
		t := &s.tallies[i]
		t.name, t.label, t.options = name, labels[name], d.CSV
		t.classes = t.label && spec.Loss.Classifies()
		if c, ok := d.Columns[name]; ok {
			t.given = &c
		}
		if file.unnamed != nil {
			t.unnamed = file.unnamed[i]
		}
		if file.kinds != nil {
			t.kind = file.kinds[i]
		}
		t.start()
		if when := surveyOfTimes(d, name); when != nil {
			s.when, s.whenAt = when, i
		}
	}
	if s.observer != nil {
		return s.observer.Begin(s.names, formOf(d.CSV), d.CSV)
	}
	return nil
}

// read counts the cells of a file.
func (s *survey) read(ctx context.Context, file *records) error {
	at, err := file.positions(s.names)
	if err != nil {
		return err
	}
	return file.batches(ctx, func(b *batch) error {
		if s.rows += b.rows(); s.rows > maxRows {
			return fmt.Errorf("the source has more than %d rows: want at most that many: %w", maxRows, job.ErrInvalid)
		}
		return lanes(len(s.tallies)+2, func(lane int) (int, error) {
			switch lane - len(s.tallies) {
			case 0:
				if s.when != nil {
					s.when.addAll(b, at[s.whenAt])
				}
			case 1:
				if s.observer != nil {
					for i := range b.rows() {
						s.row = b.row(s.row, i)
						s.observer.Row(s.row, at)
					}
				}
			default:
				s.tallies[lane].addAll(b, at[lane])
			}
			return 0, nil
		})
	})
}

// decimals decides whether the numbers of the source have a decimal comma. That is certain
// if a column has only such numbers, at least one of them with a comma that cannot separate
// thousands, and no number of the source has a decimal point.
func (s *survey) decimals() {
	certain := ""
	for i := range s.tallies {
		t := &s.tallies[i]
		if t.options != nil && (t.options.Decimal != "" || t.options.Thousands != "") || t.pointed > 0 {
			return
		}
		if t.certainCommas() && certain == "" {
			certain = fmt.Sprintf("numbers have a decimal comma, as in column %q: %s in %s", t.name, t.comma.text, t.comma.at)
		}
	}
	if certain == "" {
		return
	}
	s.detected = append(s.detected, certain)
	for i := range s.tallies {
		s.tallies[i].decimalComma = true
	}
}
