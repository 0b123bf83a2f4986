package spec

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"tributary/shared/job"
)

// Canonical writes a decoded spec as JSON, with the defaults filled in and the fields in
// declared order. It computes the digest without the id, the tags and the notes. So
// submissions of one job under different ids, in YAML or in JSON, have the same digest.
// Decode reads the result back to an equal spec.
func Canonical(s *job.Spec) ([]byte, job.Digest, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, "", fmt.Errorf("encode spec: %w", err)
	}
	anonymous := *s
	anonymous.ID, anonymous.Tags, anonymous.Notes = "", nil, ""
	digested, err := json.Marshal(&anonymous)
	if err != nil {
		return nil, "", fmt.Errorf("encode spec: %w", err)
	}
	sum := sha256.Sum256(digested)
	return text, job.Digest(hex.EncodeToString(sum[:])), nil
}
