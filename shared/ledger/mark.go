package ledger

import (
	"crypto/sha256"
	"encoding/hex"
)

// Mark stands for a whole history up to a step, over all chunks, in 8 bytes: few
// enough to be kept for every step of a job for ever. It tells accidents apart, not
// forgeries. The zero Mark stands for none.
type Mark [8]byte

// markDomain keeps the digests of marks apart from all others.
const markDomain = "tributary mark 1"

// Mark returns the first 8 bytes of SHA-256(domain ‖ the links in order of chunks).
func (c Chain) Mark() Mark {
	var text [256]byte // of a few chunks, without an allocation
	buf := append(text[:0], markDomain...)
	for _, k := range c {
		buf = append(buf, k[:]...)
	}
	sum := sha256.Sum256(buf)
	return Mark(sum[:8])
}

// String is the mark in hexadecimal.
func (m Mark) String() string { return hex.EncodeToString(m[:]) }
