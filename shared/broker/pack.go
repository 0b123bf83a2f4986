package broker

import (
	"fmt"

	"github.com/klauspost/compress/s2"
	"github.com/nats-io/nats.go/jetstream"

	"tributary/shared/job"
)

// A blob that S2 makes much shorter, as it does rows of numbers of which many are
// alike, is stored so: every worker fetches it once, and NATS's way for a byte costs
// more than unpacking it. The object's metadata says so; its name is the digest of
// what was put, whatever is stored.
const (
	encodingKey = "encoding"
	s2Encoding  = "s2"
	leastPacked = 4 << 10
	mostPacked  = 64 << 20 // so that what is short cannot take much memory
)

// pack returns what is stored of a blob and how.
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

// unpack returns the blob of what is stored. One that would be longer than
// mostPacked is refused before it is made. It fails with job.ErrCorrupt.
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
