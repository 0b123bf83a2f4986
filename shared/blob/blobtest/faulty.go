package blobtest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"tributary/shared/blob"
	"tributary/shared/job"
)

// ErrInjected is the error of a Faulty store by default.
var ErrInjected = errors.New("injected fault")

// Faulty is a store in which one operation fails. A test first counts the operations with a
// store that never fails, and then lets each of them fail in turn.
type Faulty struct {
	blob.Store
	// At is the number of the operation that fails, 1 for the first; 0 for none.
	At int64
	// After: the operation takes effect first, and only its reply is lost.
	After bool
	// Lasting: every operation from At on fails.
	Lasting bool
	// Err is the error of the failure; nil means ErrInjected.
	Err error

	calls atomic.Int64
}

// Calls returns the number of operations so far.
func (f *Faulty) Calls() int64 { return f.calls.Load() }

// do runs an operation or lets it fail.
func (f *Faulty) do(doing string, operation func() error) error {
	n := f.calls.Add(1)
	fails := f.At > 0 && (n == f.At || f.Lasting && n > f.At)
	if fails && !f.After {
		return f.fault(doing, n)
	}
	err := operation()
	if fails && err == nil {
		return f.fault(doing, n)
	}
	return err
}

func (f *Faulty) fault(doing string, n int64) error {
	err := f.Err
	if err == nil {
		err = ErrInjected
	}
	return fmt.Errorf("%s, operation %d: %w", doing, n, err)
}

// Put implements blob.Store.
func (f *Faulty) Put(ctx context.Context, data []byte) (digest job.Digest, err error) {
	err = f.do("put blob", func() (err error) {
		digest, err = f.Store.Put(ctx, data)
		return err
	})
	return digest, err
}

// Get implements blob.Store.
func (f *Faulty) Get(ctx context.Context, digest job.Digest) (data []byte, err error) {
	err = f.do("get blob", func() (err error) {
		data, err = f.Store.Get(ctx, digest)
		return err
	})
	return data, err
}

// Has implements blob.Store.
func (f *Faulty) Has(ctx context.Context, digest job.Digest) (has bool, err error) {
	err = f.do("check for blob", func() (err error) {
		has, err = f.Store.Has(ctx, digest)
		return err
	})
	return has, err
}

// Delete implements blob.Store.
func (f *Faulty) Delete(ctx context.Context, digest job.Digest) error {
	return f.do("delete blob", func() error { return f.Store.Delete(ctx, digest) })
}
