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

// attempts are the times that reading an object may take, one after the other:
// a base and a rate in bytes per second. A replaced or deleted object's reader
// waits for chunks that never come, so the first attempts are short; a slow
// network gets the last.
var attempts = []struct {
	base time.Duration
	rate uint64
}{{time.Second, 16 << 20}, {5 * time.Second, 4 << 20}, {30 * time.Second, 1 << 20}}

// readObject hands an object's content to read, and what the server says of it: its
// size, which is at most limit, before a byte of it is read. Nothing after the
// content's end is read, and more than limit is an error. readObject calls read again
// after an attempt in which the content could not be read to its end; an error of
// read's own is final.
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

// readObjectOnce reads an object within the time that its size gives it. It reports
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
	if info, err = r.Info(); err != nil { // of what is read, should it have been replaced since
		return true, err
	}
	if err := checkObject(info, limit); err != nil {
		return false, err
	}
	content := &counted{r: r, left: int64(info.Size)}
	if err = read(content, info); err == nil {
		_, err = io.Copy(io.Discard, content) // the end of the content is where its digest is checked
	}
	if content.err != nil {
		return true, content.err
	}
	return false, err
}

// checkObject refuses an object that is over limit, and a link: none of Tributary's own
// objects is one, and the client library follows links in a circle.
func checkObject(info *jetstream.ObjectInfo, limit uint64) error {
	if linkOf(info) != nil {
		return fmt.Errorf("object %.200q is a link to another; want an object: %w", info.Name, job.ErrInvalid)
	}
	if info.Size > limit {
		return fmt.Errorf("object %.200q has %d bytes; at most %d are allowed: %w", info.Name, info.Size, limit, job.ErrInvalid)
	}
	return nil
}

// linkOf returns what an object links to, nil when it is no link.
func linkOf(info *jetstream.ObjectInfo) *jetstream.ObjectLink {
	if info.Opts == nil {
		return nil
	}
	return info.Opts.Link
}

// counted reads what an object says it has, and remembers why it could not.
type counted struct {
	r    io.Reader
	left int64
	err  error // of r, but io.EOF
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.left -= int64(n); c.left < 0 {
		n, err = n+int(c.left), fmt.Errorf("object has more bytes than it says: %w", job.ErrCorrupt)
		c.left = 0
	}
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return n, err
}

// whole reads an object into memory.
func whole(r io.Reader, info *jetstream.ObjectInfo) ([]byte, error) {
	var data bytes.Buffer
	data.Grow(int(info.Size) + bytes.MinRead) // so that it need not grow to see the end
	_, err := data.ReadFrom(r)
	return data.Bytes(), err
}
