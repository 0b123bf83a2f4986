package broker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tributary/shared/job"
)

// attempts are the timeouts for reading an object, one for each attempt: a base, plus the
// size divided by a rate in bytes per second. If an object is replaced or deleted, its
// reader waits for chunks that never come; so the first timeouts are short. The last one is
// enough for a slow network.
var attempts = []struct {
	base time.Duration
	rate uint64
}{{time.Second, 16 << 20}, {5 * time.Second, 4 << 20}, {30 * time.Second, 1 << 20}}

// readObject calls read with an object's content and its description. The description has
// the object's size, which is at most limit, before read gets any byte. The content ends
// after that size; a larger object is an error. If an attempt cannot read the content to
// its end, readObject tries again and calls read again. An error of read itself is final.
func readObject(ctx context.Context, store jetstream.ObjectStore, name string, limit uint64, read func(io.Reader, *jetstream.ObjectInfo) error) error {
	for i, a := range attempts {
		again, err := readObjectOnce(ctx, store, name, limit, read, func(size uint64) time.Duration {
			return a.base + time.Duration(size*uint64(time.Second/time.Millisecond)/a.rate)*time.Millisecond
		})
		if !again || i == len(attempts)-1 || ctx.Err() != nil {
			return err
		}
	}
	return nil
}

// readObjectOnce reads an object with a timeout that depends on its size. again reports
// whether another attempt makes sense.
func readObjectOnce(ctx context.Context, store jetstream.ObjectStore, name string, limit uint64, read func(io.Reader, *jetstream.ObjectInfo) error, within func(size uint64) time.Duration) (again bool, err error) {
	info, err := store.GetInfo(ctx, name)
	if err != nil {
		return !errors.Is(err, jetstream.ErrObjectNotFound), err
	}
	if err := checkObject(info, limit); err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, within(info.Size))
	defer cancel()
	r, err := store.Get(ctx, name)
	if err != nil {
		return !errors.Is(err, jetstream.ErrObjectNotFound), err
	}
	defer r.Close()
	if info, err = r.Info(); err != nil { // of the content that is read: the object may have been replaced since
		return true, err
	}
	if err := checkObject(info, limit); err != nil {
		return false, err
	}
	content := &counted{r: r, left: int64(info.Size)}
	if err = read(content, info); err == nil {
		_, err = io.Copy(io.Discard, content) // the reader checks the digest at the end of the content
	}
	if content.err != nil {
		return true, content.err
	}
	return false, err
}

// checkObject refuses an object that is larger than limit, and a link. Tributary never
// stores a link as its own object, and the client library would follow a circle of links
// for ever.
func checkObject(info *jetstream.ObjectInfo, limit uint64) error {
	if linkOf(info) != nil {
		return fmt.Errorf("object %.200q is a link to another; want an object: %w", info.Name, job.ErrInvalid)
	}
	if info.Size > limit {
		return fmt.Errorf("object %.200q has %d bytes; at most %d are allowed: %w", info.Name, info.Size, limit, job.ErrInvalid)
	}
	return nil
}

// linkOf returns the target of an object that is a link, and nil for any other object.
func linkOf(info *jetstream.ObjectInfo) *jetstream.ObjectLink {
	if info.Opts == nil {
		return nil
	}
	return info.Opts.Link
}

// counted reads as many bytes as an object's description says, and keeps the error of a
// failed read.
type counted struct {
	r    io.Reader
	left int64
	err  error // error of r, except io.EOF
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.left -= int64(n); c.left < 0 {
		n, err = n+int(c.left), fmt.Errorf("object has more bytes than its size says: %w", job.ErrCorrupt)
		c.left = 0
	}
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return n, err
}

// whole reads an object's content into memory.
func whole(r io.Reader, info *jetstream.ObjectInfo) ([]byte, error) {
	var data bytes.Buffer
	data.Grow(int(info.Size) + bytes.MinRead) // large enough to see the end without growing
	_, err := data.ReadFrom(r)
	return data.Bytes(), err
}
