package job

import (
	"fmt"
	"regexp"
)

// ID names a job. It is chosen by the person who submits (the spec's id) or
// made from the spec's name; it is a NATS subject token and part of Redis keys.
type ID string

// Run tells one incarnation of a job id from another, so that a message or a
// Redis key of a removed job can never be mistaken for one of its successor.
type Run string

// Digest is the SHA-256 of some bytes, in lower-case hexadecimal.
type Digest string

// Numerics is the fingerprint of a program's float arithmetic: two processes
// with equal fingerprints compute equal bits.
type Numerics string

var idPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9_-]{0,62}[a-z0-9])?$`)

// IDRule is what [ID.Validate] allows, in words.
const IDRule = "1 to 64 of a-z, 0-9, '-' and '_', beginning and ending with a letter or digit"

// Validate reports an id that cannot be a subject token.
func (id ID) Validate() error {
	if !idPattern.MatchString(string(id)) {
		return fmt.Errorf("id %.80q: want %s", string(id), IDRule)
	}
	return nil
}

// Ref names one incarnation of a job: the key of everything kept about it.
type Ref struct {
	Job ID  `json:"job"`
	Run Run `json:"run"`
}

func (r Ref) String() string { return string(r.Job) + "." + string(r.Run) }
