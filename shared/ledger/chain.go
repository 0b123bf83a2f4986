package ledger

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"tributary/shared/job"
)

// Link is a hash that stands for everything that a chunk's log holds before a step: two
// different histories have different links. Each entry of the log holds the link before it.
// So a reader recognizes an entry of another history by its link.
type Link [sha256.Size]byte

// Chain is the links of a job, one for each chunk. A chain never changes after it was made,
// so callers may keep it and share it.
type Chain []Link

// chainDomain makes the digests of links different from all other digests.
const chainDomain = "tributary chain 1"

// Genesis returns the chain before the first step: for each chunk SHA-256(domain ‖ the
// digest of the plan, or of the plan that the job goes on from ‖ chunk), with the chunk as a little-endian uint64.
func (l Layout) Genesis() Chain {
	chain := make(Chain, l.Chunks())
	text := []byte(chainDomain + string(cmp.Or(l.Origin, l.Plan)))
	for c := range chain {
		chain[c] = sha256.Sum256(binary.LittleEndian.AppendUint64(text, uint64(c)))
	}
	return chain
}

// Next returns the link after an entry that holds k and has the given checksum: SHA-256(k ‖
// checksum), with the checksum as a little-endian uint64.
func (k Link) Next(checksum uint64) Link {
	var text [sha256.Size + 8]byte
	copy(text[:], k[:])
	binary.LittleEndian.PutUint64(text[sha256.Size:], checksum)
	return sha256.Sum256(text[:])
}

// String returns the link in hexadecimal.
func (k Link) String() string { return hex.EncodeToString(k[:]) }

// MarshalText returns String, for JSON.
func (k Link) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads the output of MarshalText. It fails with job.ErrCorrupt.
func (k *Link) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(k) {
		return fmt.Errorf("link %.80q: want %d hexadecimal digits: %w", text, 2*len(k), job.ErrCorrupt)
	}
	copy(k[:], b)
	return nil
}

// checkChain reports, as job.ErrInvalid, an invalid layout, or a chain that does not have
// one link for each chunk.
func (l Layout) checkChain(chain Chain) error {
	if err := l.Validate(); err != nil {
		return err
	}
	if len(chain) != l.Chunks() {
		return fmt.Errorf("chain of %d links: want one for each of %d chunks: %w", len(chain), l.Chunks(), job.ErrInvalid)
	}
	return nil
}
