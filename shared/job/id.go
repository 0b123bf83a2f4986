package job

import (
	"fmt"
	"regexp"
)

// ID names a job. The person who submits the job chooses it (the spec's id), or it is
// made from the spec's name. It is a NATS subject token and part of Redis keys.
type ID string

// Run identifies one incarnation of a job id. So a message or a Redis key of a removed
// job is never mistaken for one of a later job with the same id.
type Run string

// Digest is the SHA-256 of some bytes, in lower-case hexadecimal.
type Digest string

// Numerics is the fingerprint of a program's float arithmetic: two processes
// with equal fingerprints compute equal bits.
type Numerics string

var idPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9_-]{0,62}[a-z0-9])?$`)

// IDRule is what [ID.Validate] allows, in words.
const IDRule = "1 to 64 of a-z, 0-9, '-' and '_', beginning and ending with a letter or digit"

// Validate fails if id cannot be a NATS subject token.
func (id ID) Validate() error {
	if !idPattern.MatchString(string(id)) {
		return fmt.Errorf("id %.80q: want %s", string(id), IDRule)
	}
	return nil
}

// Ref names one incarnation of a job. It is the key of everything that is stored about
// the job.
type Ref struct {
	Job ID  `json:"job"`
	Run Run `json:"run"`
}

func (r Ref) String() string { return string(r.Job) + "." + string(r.Run) }
