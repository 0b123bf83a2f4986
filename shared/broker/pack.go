package broker

import (
	"fmt"

	"github.com/klauspost/compress/s2"
	"github.com/nats-io/nats.go/jetstream"

	"tributary/shared/job"
)

// A blob is stored in S2 encoding if that makes it much shorter, as with rows of similar
// numbers. Every worker fetches it once, and the transfer of a byte over NATS costs more
// than its decoding. The object's metadata names the encoding. The object's name is always
// the digest of the original content.
const (
	encodingKey = "encoding"
	s2Encoding  = "s2"
	leastPacked = 4 << 10
	mostPacked  = 64 << 20 // so that a short object cannot take much memory
)

// pack returns the stored form of a blob and its encoding.
func pack(data []byte) (stored []byte, encoding string) {
	if len(data) < leastPacked || len(data) > mostPacked {
		return data, ""
	}
	short := s2.Encode(nil, data)
	if len(short) > len(data)/4*3 {
		return data, ""
	}
	return short, s2Encoding
}

// unpack returns the blob for its stored form. It refuses a blob longer than mostPacked
// before it allocates memory for it. It fails with job.ErrCorrupt.
func unpack(stored []byte, info *jetstream.ObjectInfo) ([]byte, error) {
	switch encoding := info.Metadata[encodingKey]; encoding {
	case "":
		return stored, nil
	case s2Encoding:
		n, err := s2.DecodedLen(stored)
		if err != nil {
			return nil, fmt.Errorf("unpack: %w: %w", err, job.ErrCorrupt)
		}
		if n > mostPacked {
			return nil, fmt.Errorf("unpack: it has %d bytes; at most %d are allowed: %w", n, mostPacked, job.ErrCorrupt)
		}
		data, err := s2.Decode(nil, stored)
		if err != nil {
			return nil, fmt.Errorf("unpack: %w: %w", err, job.ErrCorrupt)
		}
		return data, nil
	default:
		return nil, fmt.Errorf("unpack: encoding %.40q: want none or %q: %w", encoding, s2Encoding, job.ErrCorrupt)
	}
}
