// Package ingest converts the data of a spec into a dataset. It reads, cleans and splits
// the data, fits the preprocessing on the training split, transforms the rows and cuts
// them into blocks.
//
// It owns the reading of sources and every decision that is made once per dataset. It
// leaves the format of a dataset, and the preprocessing of raw rows for predictions, to
// package dataset. Package run calls it when it prepares a job; packages verify and sizing
// call it too.
//
// Invariant: the manifest and the bytes of every block are a pure function of the spec
// and the sources' bytes, for any number of CPUs. No statistic uses a row outside the
// training split.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
	"tributary/shared/numeric"
)

// Ingest reads datasets into a store.
type Ingest struct {
	Sources  Opener
	Store    blob.Store
	MaxBytes int64        // limit for one source, unpacked, and for its table; 0 means 16 GiB
	Memory   int64        // bytes of a table kept in memory; a larger table goes to a file; 0 means 16 MiB
	Scratch  string       // folder of these files; "" means the system's folder for temporary files
	Progress func(string) // receives sentences about the progress; may be nil
}

// Run ingests the spec's data with the default limits.
func Run(ctx context.Context, spec *job.Spec, sources Opener, store blob.Store, progress func(string)) (*dataset.Manifest, error) {
	return (&Ingest{Sources: sources, Store: store, Progress: progress}).Run(ctx, spec)
}

// Run ingests the spec's data. When it returns without an error, every block is in the
// store. Faults of the data or of the spec wrap job.ErrInvalid. Any other error comes
// from the store, the disk or the network and may be temporary.
//
// Memory: at most 10 bytes per row of the sources for the order of the rows, and some
// multiples of Memory; three batches of rows that are read. The columns' names, the different texts (both are bounded) and the
// blocks in flight to the store add to that. Disk: scratch files hold the data that was
// read, with 8 bytes for each number or text, or 1 or 4 for an IDX source. They hold
// shuffled training rows twice. Run deletes the files before it returns.
func (in *Ingest) Run(ctx context.Context, spec *job.Spec) (m *dataset.Manifest, err error) {
	err = in.apart(&spec.Data, func(w *work) error {
		m, err = w.run(ctx, spec)
		return err
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// apart runs f with a work for the data of d, whose scratches end with it.
func (in *Ingest) apart(d *job.Data, f func(*work) error) (err error) {
	w := in.work(d)
	defer func() { err = errors.Join(err, w.end()) }()
	return f(w)
}

// work returns a work for the data of d. The caller ends it.
func (in *Ingest) work(d *job.Data) *work {
	own := *in
	w := &work{Ingest: &own, space: &space{folder: in.Scratch, keep: in.Memory}, texts: newTextRoom(maxTexts)}
	if w.space.keep <= 0 {
		w.space.keep = keepBytes
	}
	own.Sources = newOnce(w, d)
	return w
}

// end gives back memory and files.
func (w *work) end() error {
	for _, release := range w.closers {
		release()
	}
	if err := w.space.close(); err != nil {
		return fmt.Errorf("scratch file: %w", err)
	}
	return nil
}

// work is one run of an ingest.
type work struct {
	*Ingest
	space   *space
	texts   *textRoom
	closers []func()          // give back the memory of files
	svm     *tabular.Features // of the training source, or nil
	csv     *job.CSVOptions   // with which files for prediction are read, or nil

	only     map[string]bool // columns of typed files that are read; nil: all
	observer Observer        // sees the rows of a survey, or nil
}

func (w *work) run(ctx context.Context, spec *job.Spec) (*dataset.Manifest, error) {
	train, given, err := w.read(ctx, spec)
	if err != nil {
		return nil, err
	}
	rows, err := w.clean(ctx, "data.source", train, spec.Data.Clean)
	if err != nil {
		return nil, err
	}
	classes, err := train.label.arrange(ctx, rows, spec.Loss)
	if err != nil {
		return nil, err
	}
	if err := train.label.allow(ctx, rows, spec.Loss); err != nil {
		return nil, err
	}
	if text, ok := blank(slices.Sorted(slices.Values(classes))); ok {
		w.say("label %q: %.80q and %.80q are two classes, although they differ only in blanks", train.label.name, text, strings.TrimSpace(text))
	}
	others, err := w.apart(ctx, spec, train, rows, given) // before divide, which reorders rows
	if err != nil {
		return nil, err
	}
	splits, err := w.divide(ctx, spec, train, rows)
	if err != nil {
		return nil, err
	}
	sets := make([]splitRows, 0, len(job.Splits))
	for _, s := range job.Splits {
		if rows := splits[s]; rows != nil {
			sets = append(sets, splitRows{s, train, rows, these(rows)})
		}
	}
	sets = append(sets, others...)
	if err := train.label.complete(ctx, splits[job.Train], classes); err != nil {
		return nil, err
	}
	prep, err := w.fit(ctx, spec, train, splits[job.Train])
	if err != nil {
		return nil, err
	}
	profile, err := w.profile(ctx, prep, train, splits[job.Train])
	if err != nil {
		return nil, err
	}
	prep.CSV = w.csv
	train.label.describe(prep)
	train.key.describe(spec, prep)
	if spec.Data.Shuffle {
		if sets[0], err = w.shuffle(ctx, sets[0], spec.Seed); err != nil {
			return nil, fmt.Errorf("shuffle: %w", err)
		}
	}
	m, err := w.write(ctx, prep, classes, sets)
	if err == nil {
		m.Profile = profile
	}
	if err == nil && spec.ClassWeights.Balanced {
		m.ClassRows, err = train.label.count(ctx, sets[0], len(classes))
	}
	return m, err
}

// splitRows is a split: rows of a table in the order in which they are stored.
type splitRows struct {
	split job.Split
	table *table
	rows  []int32 // row numbers in the source
	cells order   // row numbers in the table's cells
}

// shuffle puts a part into the seeded order in which it is stored. If its cells are in a
// file, it also reorders them, so that they can be read from front to back.
func (w *work) shuffle(ctx context.Context, p splitRows, seed uint64) (splitRows, error) {
	if err := shuffle(ctx, numeric.NewRand(seed, numeric.ForIngest, 0, 0), p.rows); err != nil {
		return p, err
	}
	if p.table.cells.data.file == nil && p.table.label.cells.data.file == nil {
		return p, nil
	}
	dealt := *p.table
	var err error
	if dealt.cells, err = w.space.deal(ctx, p.table.cells, p.rows, p.table.rows); err != nil {
		return p, err
	}
	dealt.label.cells, err = w.space.deal(ctx, p.table.label.cells, p.rows, p.table.rows)
	return splitRows{p.split, &dealt, p.rows, all(len(p.rows))}, err
}

// write encodes the parts into blocks and describes them.
func (w *work) write(ctx context.Context, prep *dataset.Preprocessing, classes []string, sets []splitRows) (*dataset.Manifest, error) {
	m := &dataset.Manifest{
		Version: dataset.ManifestVersion, Features: prep.Features(), Targets: sets[0].table.label.targets(), Classes: classes,
		Splits: map[job.Split][]dataset.BlockRef{}, Preprocessing: prep,
	}
	if err := w.room(m, sets); err != nil {
		return nil, err
	}
	var err error
	if m.Weight, err = weightOf(ctx, sets); err != nil {
		return nil, err
	}
	for _, p := range sets {
		refs, err := w.writeBlocks(ctx, prep, p)
		if err != nil {
			return nil, fmt.Errorf("write %s blocks: %w", p.split, err)
		}
		m.Splits[p.split] = refs
		w.say("%s: %d rows of %d features in %d blocks", p.split, len(p.rows), m.Features, len(refs))
	}
	return m, nil
}

// room refuses a dataset whose blocks need more than four times the bytes that a source
// may have. Blocks can be larger than the source: an IDX file's bytes become floats, and
// a column of text becomes one feature per text.
func (w *work) room(m *dataset.Manifest, sets []splitRows) error {
	rows := 0
	for _, p := range sets {
		rows += len(p.rows)
	}
	width, most := m.Features+m.Targets, 4*w.limit()
	if int64(rows) > most/4/int64(width) {
		return fmt.Errorf("%d rows of %d features and targets make over %d bytes of blocks: leave rows or columns out (a column of text becomes a feature for each of its texts): %w",
			rows, width, most, job.ErrInvalid)
	}
	return nil
}

// read reads the sources: the training source, and those of splits that have one.
func (w *work) read(ctx context.Context, spec *job.Spec) (train *table, given []givenSplit, err error) {
	d := &spec.Data
	if d.Inline != nil {
		train, err = w.readInline(d.Inline, spec.Loss.Classifies())
		return train, nil, err
	}
	if d.Source == "" {
		return nil, nil, fmt.Errorf("data.source: want a path, file:PATH or nats:BUCKET/OBJECT (or data.inline): %w", job.ErrInvalid)
	}
	read := w.readNamed
	switch {
	case d.Format == job.NumPy:
		read = w.readNumPy
	case d.Format == job.IDX || d.Format == "" && d.Labels != "":
		read = w.readIDX
	case d.Format != "" && !slices.Contains(d.Format.Allowed(), string(d.Format)):
		return nil, nil, fmt.Errorf("data.format: %q: want one of %s: %w", d.Format, strings.Join(d.Format.Allowed(), ", "), job.ErrInvalid)
	}
	if train, err = read(ctx, spec, files{"data.source", d.Source, "data.labels", d.Labels, "data.query", d.Query}, nil); err != nil {
		return nil, nil, err
	}
	given, err = w.readGiven(ctx, spec, train, read)
	return train, given, err
}

// files holds the sources of one table and the spec fields that name them.
type files struct{ field, source, labelsField, labels, queryField, query string }

func (in *Ingest) say(format string, args ...any) {
	if in.Progress != nil {
		in.Progress(fmt.Sprintf(format, args...))
	}
}

func (in *Ingest) limit() int64 {
	if in.MaxBytes > 0 {
		return in.MaxBytes
	}
	return tabular.DefaultLimit
}
