package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"tributary/shared/blob"
	"tributary/shared/checkpoint"
	"tributary/shared/job"
	"tributary/shared/numeric"
	"tributary/shared/readable"
	"tributary/shared/registry"
	"tributary/shared/spec"
)

// The training state of a job on embedded servers is in a folder below the model's folder
// until the job has ended. It has the job's record and the blobs of its newest
// checkpoint.
const (
	stateFolder = "checkpoint"
	recordFile  = "job.json"
	blobsFolder = "blobs"
)

// state keeps a job's newest checkpoint on disk.
type state struct {
	dir  string // the model's folder
	from blob.Store

	mu   sync.Mutex
	step int64 // step of the stored checkpoint, 0 for none

	record job.Record // of the stored checkpoint
}

// saveTimeout bounds the write of a checkpoint to disk.
const saveTimeout = 5 * time.Minute

// save replaces the stored checkpoint by the record's newest one, unless that is older.
// It writes the record when all blobs in it are on disk, and then deletes the blobs that
// it no longer names. So a complete checkpoint is on disk at any moment.
func (s *state) save(r job.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(r.Checkpoints) == 0 || r.Checkpoints[0].Step <= s.step {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), saveTimeout)
	defer cancel()
	r.Checkpoints = r.Checkpoints[:1]
	m, err := checkpoint.Open(ctx, s.from, r.Checkpoints[0].Digest)
	if err != nil {
		return err
	}
	root := filepath.Join(s.dir, stateFolder)
	to, err := blob.NewDirectory(filepath.Join(root, blobsFolder))
	if err != nil {
		return err
	}
	named := map[job.Digest]bool{}
	for _, digest := range append(m.Parts(), r.Checkpoints[0].Digest, r.Plan) {
		named[digest] = true
		if err := copyBlob(ctx, to, s.from, digest); err != nil {
			return err
		}
	}
	if err := writeRecord(root, r); err != nil {
		return err
	}
	s.step, s.record = r.Checkpoints[0].Step, r
	for old, err := range to.List(ctx) {
		if err == nil && !named[old.Digest] {
			err = to.Delete(ctx, old.Digest)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// drop deletes the stored training state and nothing else, because the job has its model.
func (s *state) drop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	root := filepath.Join(s.dir, stateFolder)
	if err := os.Remove(filepath.Join(root, recordFile)); err != nil {
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			return nil // a file or folder with that name belongs to someone else
		}
		return err
	}
	err := os.RemoveAll(filepath.Join(root, blobsFolder))
	_ = os.Remove(root) // fails if it holds other files
	return err
}

func copyBlob(ctx context.Context, to, from blob.Store, digest job.Digest) error {
	if has, err := to.Has(ctx, digest); err != nil || has {
		return err
	}
	data, err := blob.Fetch(ctx, from, digest)
	if err == nil {
		_, err = to.Put(ctx, data)
	}
	return err
}

// writeRecord replaces the record atomically.
func writeRecord(root string, r job.Record) error {
	data, err := readable.Indented(r)
	if err != nil {
		return fmt.Errorf("encode the job's record: %w", err)
	}
	return registry.WriteFile(root, recordFile, append(data, '\n'))
}

// largestRecord bounds a record that is read from disk, in bytes.
const largestRecord = 16 << 20

// readState reads the record of the training state below a model's folder. It fails with
// job.ErrNotFound if there is none.
func readState(dir string) (job.Record, error) {
	path := filepath.Join(dir, stateFolder, recordFile)
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return job.Record{}, fmt.Errorf("%s holds no training state: %w", dir, job.ErrNotFound)
	}
	if err == nil && info.Size() > largestRecord {
		err = fmt.Errorf("it has %d bytes; want at most %d: %w", info.Size(), largestRecord, job.ErrCorrupt)
	}
	if err != nil {
		return job.Record{}, fmt.Errorf("%s: %w", path, err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return job.Record{}, err
	}
	var r job.Record
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("%s: %w: %w", path, err, job.ErrCorrupt)
	}
	if err := r.ID.Validate(); err != nil || r.Run == "" || len(r.Checkpoints) != 1 {
		return r, fmt.Errorf("%s: want a job's id, run and one checkpoint: %w", path, job.ErrCorrupt)
	}
	return r, nil
}

// restore reads the stored training state of a spec into blobs. It returns the record of
// the job that continues from it.
func (s *state) restore(ctx context.Context, asked *job.Spec, blobs blob.Store) (job.Record, error) {
	kept, err := readState(s.dir)
	if errors.Is(err, job.ErrNotFound) || err == nil && kept.State == job.Succeeded {
		err = fmt.Errorf("%s holds no training state of a job that was stopped: %w", s.dir, job.ErrNotFound)
		if card, err := registry.LoadCard(s.dir); err == nil {
			return kept, fmt.Errorf("job %s has ended; its model is in %s: %w", card.ID, s.dir, job.ErrConflict)
		}
	}
	if err != nil {
		return kept, err
	}
	was, err := spec.Decode(kept.Spec)
	if err != nil {
		return kept, fmt.Errorf("the spec that is kept in %s: %w", s.dir, err)
	}
	_, want, err := spec.Canonical(asked)
	if err != nil {
		return kept, err
	}
	canonical, digest, err := spec.Canonical(was)
	if err != nil {
		return kept, err
	}
	if digest != want || asked.ID != "" && asked.ID != kept.ID {
		return kept, fmt.Errorf("the training state in %s is of another spec, which begins %.120q: %w", s.dir, canonical, job.ErrInvalid)
	}
	if mine := job.Numerics(numeric.Fingerprint()); kept.Numerics != "" && kept.Numerics != mine {
		return kept, fmt.Errorf("the training state in %s was computed with numerics %s, and this program has %s: %w", s.dir, kept.Numerics, mine, job.ErrInvalid)
	}
	from, err := blob.NewDirectory(filepath.Join(s.dir, stateFolder, blobsFolder))
	if err != nil {
		return kept, err
	}
	c := kept.Checkpoints[0]
	m, err := checkpoint.Open(ctx, from, c.Digest)
	if err != nil {
		return kept, err
	}
	for _, part := range append(m.Parts(), c.Digest) {
		if err := copyBlob(ctx, blobs, from, part); err != nil {
			return kept, err
		}
	}
	s.step = c.Step
	return job.Record{
		ID: kept.ID, Run: kept.Run, Name: was.Name, Tags: was.Tags, State: job.Submitted, Created: kept.Created, Started: kept.Started, StopAt: kept.StopAt,
		Spec: canonical, SpecDigest: digest, Numerics: kept.Numerics,
		Priority: kept.Priority, MaxSlots: kept.MaxSlots, Resumed: kept.Resumed + 1, Checkpoints: kept.Checkpoints,
	}, nil
}
