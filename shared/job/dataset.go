package job

import (
	"fmt"
	"strconv"
	"strings"
)

// DatasetPrefix begins a source that is a named data set: dataset:<name>, its newest version,
// or dataset:<name>@<version>.
const DatasetPrefix = "dataset:"

// IsDataset reports whether a source is a named data set.
func IsDataset(source string) bool { return strings.HasPrefix(source, DatasetPrefix) }

// ParseDataset returns the name and the version of a named data set, with or without the
// prefix; version 0 is the newest. It fails with ErrInvalid.
func ParseDataset(source string) (name string, version int, err error) {
	rest := strings.TrimPrefix(source, DatasetPrefix)
	name, number, numbered := strings.Cut(rest, "@")
	if err := ID(name).Validate(); err != nil {
		return "", 0, fmt.Errorf("data set %.80q: want <name> or <name>@<version>, and a name of 1 to 64 of a-z, 0-9, '-' and '_': %w", rest, ErrInvalid)
	}
	if !numbered {
		return name, 0, nil
	}
	if version, err = strconv.Atoi(number); err != nil || version < 1 || strconv.Itoa(version) != number {
		return "", 0, fmt.Errorf("data set %.80q: version %.40q: want an integer from 1 on: %w", rest, number, ErrInvalid)
	}
	return name, version, nil
}

// Dataset is a version of a named data set that a job reads.
type Dataset struct {
	Field   string `json:"field"` // of the spec, like data.source
	Name    string `json:"name"`
	Version int    `json:"version"`
	SHA256  Digest `json:"sha256"` // of its bytes
	Bytes   int64  `json:"bytes"`
}

// NeedsDataset reports whether the job reads a version of a named data set, or may read it
// again: it has not ended, or can be retried.
func (r *Record) NeedsDataset(name string, version int) bool {
	if r.State == Succeeded || r.Removing {
		return false
	}
	for _, d := range r.Datasets {
		if d.Name == name && d.Version == version {
			return true
		}
	}
	return false
}
