package blob

import (
	"fmt"
	"regexp"

	"tributary/shared/job"
)

// MaxBytes bounds one blob. Blocks are a few MiB; checkpoints are the largest.
const MaxBytes = 4 << 30

var digestPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// IsDigest reports whether digest has the form of one. A store has no blob
// under any other name, and never makes a path or subject of one.
func IsDigest(digest job.Digest) bool { return digestPattern.MatchString(string(digest)) }

func notFound(digest job.Digest) error {
	return fmt.Errorf("get blob %.80s: there is no such blob: %w", string(digest), job.ErrNotFound)
}
