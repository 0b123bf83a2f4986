package registry

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/drift"
	"tributary/shared/job"
)

// maxProfile limits a profile.json, in bytes.
const maxProfile = 8 << 20

// Describe adds the description of the training rows (dataset.Profile) to a new model. It
// fails with job.ErrInvalid if the description does not fit the model.
func (m *Model) Describe(profile []byte) error {
	p, err := dataset.DecodeProfile(profile, m.Card.Preprocessing)
	if err != nil {
		return err
	}
	m.profile, m.Card.ProfileSHA256 = profile, blob.DigestOf(profile)
	m.Training = drift.NewBaseline(m.Card.Preprocessing, p)
	return nil
}

// readProfile reads the description of the training rows, if the card names one. A copy of a
// model may be without the file. It fails with job.ErrCorrupt if the file is not the one that
// the card names.
func (m *Model) readProfile(files Files) error {
	want := m.Card.ProfileSHA256
	if want == "" {
		return nil
	}
	var data []byte
	err := files(ProfileFile, func(r io.Reader, size int64) error {
		if size > maxProfile {
			return fmt.Errorf("it has %d bytes: at most %d are read: %w", size, maxProfile, job.ErrInvalid)
		}
		data = make([]byte, size)
		_, err := io.ReadFull(r, data)
		return err
	})
	if errors.Is(err, job.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		if got := blob.DigestOf(data); got != want {
			return fmt.Errorf("%s has the digest %s; %s names %.80q: %w", ProfileFile, got, CardFile, string(want), job.ErrCorrupt)
		}
		err = m.Describe(data)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", ProfileFile, err)
	}
	m.bytes += 2 * int64(len(data))
	return nil
}

// Watching returns the model with counters of the rows that it predicts on. The answers are
// the same. It returns the model itself if it has no description of its training rows.
func (m *Model) Watching(counters ...*drift.Counter) *Model {
	if m.Training == nil || len(counters) == 0 {
		return m
	}
	watched := *m
	watched.counters = slices.Concat(m.counters, counters)
	return &watched
}

// Counters returns the counters of Watching.
func (m *Model) Counters() []*drift.Counter { return m.counters }

// errNoProfile is the error of a comparison without a description of the training rows.
func (m *Model) errNoProfile() error {
	return fmt.Errorf("drift: the model %.80q has no description of its training rows (%s): train it again to have one: %w", string(m.Card.ID), ProfileFile, job.ErrInvalid)
}

// Compare returns a counter of rows for a comparison with the training rows. It fails with
// job.ErrInvalid if the model has no description of them.
func (m *Model) Compare() (*drift.Counter, error) {
	if m.Training == nil {
		return nil, m.errNoProfile()
	}
	return m.Training.NewCounter(), nil
}

// Profile returns the description of the training rows, or nil if the model has none.
func (m *Model) Profile() *dataset.Profile {
	if m.Training == nil {
		return nil
	}
	return m.Training.Profile()
}
