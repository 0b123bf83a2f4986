package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"tributary/shared/job"
)

// Link stands for everything that a chunk's log holds before a step: no two
// histories have the same. Each entry of the log carries the link before it,
// so an entry that belongs to another history is told by its link.
type Link [sha256.Size]byte

// Chain is the links of a job's chunks, by chunk. It is never changed once made,
// so that it may be kept and passed on.
type Chain []Link

// chainDomain keeps the digests of links apart from all others.
const chainDomain = "tributary chain 1"

// Genesis returns the chain before the first step: for each chunk
// SHA-256(domain ‖ the plan's digest ‖ chunk), the chunk a little-endian uint64.
func (l Layout) Genesis() Chain {
	chain := make(Chain, l.Chunks())
	text := []byte(chainDomain + string(l.Plan))
	for c := range chain {
		chain[c] = sha256.Sum256(binary.LittleEndian.AppendUint64(text, uint64(c)))
	}
	return chain
}

// Next returns the link after an entry, which carries k and has the given
// checksum: SHA-256(k ‖ checksum), the checksum a little-endian uint64.
func (k Link) Next(checksum uint64) Link {
	var text [sha256.Size + 8]byte
	copy(text[:], k[:])
	binary.LittleEndian.PutUint64(text[sha256.Size:], checksum)
	return sha256.Sum256(text[:])
}

// String is the link in hexadecimal.
func (k Link) String() string { return hex.EncodeToString(k[:]) }

// MarshalText is String, for JSON.
func (k Link) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (k *Link) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(k) {
		return fmt.Errorf("link %.80q: want %d hexadecimal digits: %w", text, 2*len(k), job.ErrCorrupt)
	}
	copy(k[:], b)
	return nil
}

// checkChain reports an invalid layout, or a chain that has not one link for each chunk.
func (l Layout) checkChain(chain Chain) error {
	if err := l.Validate(); err != nil {
		return err
	}
	if len(chain) != l.Chunks() {
		return fmt.Errorf("chain of %d links: want one for each of %d chunks: %w", len(chain), l.Chunks(), job.ErrInvalid)
	}
	return nil
}
