package blob

import (
	"fmt"
	"regexp"

	"tributary/shared/job"
)

// MaxBytes bounds one blob, in bytes. Dataset blocks have a few MiB; checkpoint parts are
// the largest blobs.
const MaxBytes = 4 << 30

var digestPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// IsDigest reports whether digest has the form of a digest. A store holds blobs only under
// such names, and never makes a path or a subject from another name.
func IsDigest(digest job.Digest) bool { return digestPattern.MatchString(string(digest)) }

func notFound(digest job.Digest) error {
	return fmt.Errorf("get blob %.80s: there is no such blob: %w", string(digest), job.ErrNotFound)
}
