package place

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/cenkalti/backoff/v5"

	"tributary/shared/job"
)

// Part is an answer to a request for the bytes of a file from an offset on.
type Part struct {
	Body io.ReadCloser
	From int64  // offset of the first byte: the requested one, or 0
	Size int64  // bytes of the whole file; −1 if the server does not say it
	Tag  string // identifies the version of the file; "" if the server does not say it
}

// get asks for the bytes from an offset on, of the version with this tag.
type get func(ctx context.Context, from int64, tag string) (Part, error)

// The limits of a transfer. A transfer of any length goes on while bytes arrive.
const (
	fetchAttempts = 6                // requests in a row that bring no byte
	stallTime     = 60 * time.Second // without a byte, until the request is sent again
	longestPause  = 5 * time.Second
	firstPause    = 200 * time.Millisecond
)

// fetched is a file that comes in one or more requests: after a fault it goes on where it
// was. A file that changes meanwhile is refused.
type fetched struct {
	ctx    context.Context //nolint:containedctx // lives as long as one reading
	get    get
	body   io.ReadCloser
	cancel context.CancelFunc // of the request
	at     int64
	size   int64
	tag    string
	sum    hash.Hash // of the bytes before at
	faults int       // since the last byte
	pauses *backoff.ExponentialBackOff
}

var errChanged = fmt.Errorf("changed while it was being read: %w", job.ErrInvalid)

// fetch sends the first request. The caller closes the result.
func fetch(ctx context.Context, get get, first time.Duration) (io.ReadCloser, error) {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = first, longestPause
	f := &fetched{ctx: ctx, get: get, size: -1, sum: sha256.New(), pauses: pauses, cancel: func() {}}
	for {
		err := f.open() //nolint:contextcheck // it is in f, for all requests of the reading
		if err == nil {
			return f, nil
		}
		if err = f.again(err); err != nil {
			return nil, err
		}
	}
}

// Read reads the next bytes.
func (f *fetched) Read(p []byte) (int, error) {
	for {
		err := f.opened()
		n := 0
		if err == nil {
			n, err = f.some(p)
		}
		if n > 0 {
			f.sum.Write(p[:n])
			f.at += int64(n)
			f.faults = 0
			f.pauses.Reset()
			if f.size >= 0 && f.at > f.size {
				return 0, errChanged
			}
			return n, nil
		}
		switch {
		case err == nil:
			continue
		case errors.Is(err, io.EOF) && (f.size < 0 || f.at == f.size):
			return 0, io.EOF
		case errors.Is(err, io.EOF):
			err = io.ErrUnexpectedEOF
		}
		f.drop()
		if err = f.again(err); err != nil {
			return 0, err
		}
	}
}

// some reads from the body; a body without bytes for stallTime fails.
func (f *fetched) some(p []byte) (int, error) {
	stalled := time.AfterFunc(stallTime, f.cancel)
	defer stalled.Stop()
	return f.body.Read(p)
}

// again waits before the next request. It returns the error if another request would not
// help.
func (f *fetched) again(err error) error {
	if f.faults++; f.ctx.Err() != nil {
		return f.ctx.Err()
	}
	if errors.Is(err, job.ErrInvalid) {
		return err
	}
	if f.faults == fetchAttempts {
		return fmt.Errorf("%d attempts after %d bytes: %w", f.faults, f.at, err)
	}
	timer := time.NewTimer(f.pauses.NextBackOff())
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-f.ctx.Done():
		return f.ctx.Err()
	}
}

func (f *fetched) opened() error {
	if f.body != nil {
		return nil
	}
	return f.open()
}

// open sends a request for the bytes from at on.
func (f *fetched) open() error {
	ctx, cancel := context.WithCancel(f.ctx)
	part, err := f.get(ctx, f.at, f.tag)
	if err != nil {
		cancel()
		return err
	}
	f.body, f.cancel = part.Body, cancel
	switch {
	case f.at == 0:
		f.size, f.tag = part.Size, part.Tag
		return nil
	case part.Size != f.size && part.Size >= 0 && f.size >= 0, part.Tag != f.tag, part.From != f.at && part.From != 0:
		f.drop()
		return errChanged
	case part.From == 0:
		if err := f.skip(); err != nil {
			f.drop()
			return err
		}
	}
	return nil
}

// skip reads the bytes again that were read before, and compares them.
func (f *fetched) skip() error {
	again := sha256.New()
	buffer := make([]byte, 64<<10)
	for left := f.at; left > 0; {
		n, err := f.some(buffer[:min(left, int64(len(buffer)))])
		again.Write(buffer[:n])
		left -= int64(n)
		if left > 0 && errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if left > 0 && err != nil {
			return err
		}
	}
	if !bytes.Equal(again.Sum(nil), f.sum.Sum(nil)) {
		return errChanged
	}
	return nil
}

// drop ends a request.
func (f *fetched) drop() {
	f.cancel()
	if f.body != nil {
		_ = f.body.Close() // only read
	}
	f.body = nil
}

// Close ends the transfer.
func (f *fetched) Close() error {
	f.drop()
	return nil
}
