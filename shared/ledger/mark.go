package ledger

import (
	"crypto/sha256"
	"encoding/hex"
)

// Mark is a short hash that stands for the whole history up to a step, over all chunks. It
// has 8 bytes, so the ledger can keep one for every step of a job for ever. It detects
// accidents, not forgeries. The zero Mark means none.
type Mark [8]byte

// markDomain makes the digests of marks different from all other digests.
const markDomain = "tributary mark 1"

// Mark returns the first 8 bytes of SHA-256(domain ‖ the links in the order of their
// chunks).
func (c Chain) Mark() Mark {
	var text [256]byte // enough for a few chunks without an allocation
	buf := append(text[:0], markDomain...)
	for _, k := range c {
		buf = append(buf, k[:]...)
	}
	sum := sha256.Sum256(buf)
	return Mark(sum[:8])
}

// String returns the mark in hexadecimal.
func (m Mark) String() string { return hex.EncodeToString(m[:]) }
