package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"

	goredis "github.com/redis/go-redis/v9"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/wire"
)

// putChunks stores the chunks of a snapshot that is not the newest yet. If the server is
// full, putChunks first deletes the entries that the last trim left (see
// staysUntilNextTrim), and tries once more.
func (l *Ledger) putChunks(ctx context.Context, lay ledger.Layout, s ledger.Snapshot) error {
	err := l.tryChunks(ctx, lay, s)
	if !errors.Is(err, job.ErrFull) {
		return err
	}
	newest, ok, nerr := l.newest(ctx, lay)
	if nerr == nil && ok {
		nerr = l.trimAll(ctx, lay, newest)
	}
	if nerr != nil || !ok {
		return errors.Join(err, nerr)
	}
	return l.tryChunks(ctx, lay, s)
}

func (l *Ledger) tryChunks(ctx context.Context, lay ledger.Layout, s ledger.Snapshot) error {
	per, _ := batches(lay, len(s.Vectors))
	for group := range slices.Chunk(lay.AllChunks(), per) {
		if err := l.putSnapshotChunks(ctx, lay, s, group); err != nil {
			return fmt.Errorf("put snapshot %d: %w", s.Step, err)
		}
	}
	return nil
}

func (l *Ledger) putSnapshotChunks(ctx context.Context, lay ledger.Layout, s ledger.Snapshot, chunks []int) error {
	k := keysOf(lay)
	_, size := batches(lay, len(s.Vectors))
	a := newArena(size * len(chunks))
	defer a.free()
	pipe := l.pipeline(size * len(chunks))
	stored := make([]*kept, len(chunks))
	var joined []float32
	for i, c := range chunks {
		lo, hi := lay.Chunk(c)
		joined = joined[:0]
		for _, v := range s.Vectors {
			joined = append(joined, v[lo:hi]...)
		}
		data, _ := a.encode(snapshotHeader(s.Step, len(s.Vectors), c, s.Chain[c]), joined)
		stored[i] = pipe.keep(ctx, c, k.snapshot(c), field(s.Step), data)
		pipe.PExpire(ctx, k.snapshot(c), jobLife)
	}
	if err := pipe.exec(ctx); err != nil {
		return err
	}
	other, err := l.differing(ctx, stored)
	if other != nil {
		return fmt.Errorf("chunk %d: it is stored with other bytes: %w", other.chunk, job.ErrCorrupt)
	}
	return err
}

// snapshotChunk is a chunk of a stored snapshot.
type snapshotChunk struct {
	after   ledger.Link // link after the snapshot's last step
	vectors int
	size    int    // bytes of a vector
	floats  []byte // the vectors' floats, one vector after the other
}

// vector returns the floats of vector i.
func (s snapshotChunk) vector(i int) []byte { return s.floats[i*s.size : (i+1)*s.size] }

// decode copies the chunk of every vector to its place. It fails with job.ErrCorrupt when
// the snapshot has another number of vectors.
func (s snapshotChunk) decode(lay ledger.Layout, chunk int, vectors [][]float32) error {
	if s.vectors != len(vectors) {
		return fmt.Errorf("it has %d vectors, %d expected: %w", s.vectors, len(vectors), job.ErrCorrupt)
	}
	lo, hi := lay.Chunk(chunk)
	for i, v := range vectors {
		wire.Floats(v[lo:hi], s.vector(i))
	}
	return nil
}

// maxVectors bounds the number of vectors in a snapshot that is read.
const maxVectors = 1 << 16

// openSnapshotChunk checks the stored bytes of a chunk and returns the chunk.
func openSnapshotChunk(lay ledger.Layout, step int64, chunk int, data []byte) (snapshotChunk, error) {
	h, floats, _, err := wire.Decode(data)
	if err == nil {
		err = same(h, snapshotHeader(step, int(h.B), chunk, h.Chain))
	}
	if err != nil {
		return snapshotChunk{}, err
	}
	lo, hi := lay.Chunk(chunk)
	size, least := 4*(hi-lo), uint64(lay.Vectors(1))
	if h.B < least || h.B > maxVectors || len(floats) != size*int(h.B) {
		return snapshotChunk{}, fmt.Errorf("%d bytes of floats of %d vectors, %d of each of %d or more expected: %w", len(floats), h.B, size, least, job.ErrCorrupt)
	}
	return snapshotChunk{after: h.Chain, vectors: int(h.B), size: size, floats: floats}, nil
}

// readSnapshot reads chunks of the snapshot after step steps. It sizes the pipelines for
// the given number of vectors. It fails with errLost when a chunk is not stored.
func (l *Ledger) readSnapshot(ctx context.Context, lay ledger.Layout, step int64, chunks []int, vectors int, use func(chunk int, s snapshotChunk) error) error {
	k := keysOf(lay)
	per, size := batches(lay, vectors)
	for group := range slices.Chunk(chunks, per) {
		pipe := l.pipeline(size * len(group))
		data := make([]*goredis.StringCmd, len(group))
		for i, c := range group {
			data[i] = pipe.HGet(ctx, k.snapshot(c), field(step))
		}
		if err := pipe.exec(ctx); err != nil {
			return err
		}
		for i, c := range group {
			stored, err := data[i].Bytes()
			if errors.Is(err, goredis.Nil) {
				return fmt.Errorf("chunk %d: %w", c, errLost)
			}
			var opened snapshotChunk
			if err == nil {
				opened, err = openSnapshotChunk(lay, step, c, stored)
			}
			if err == nil {
				err = use(c, opened)
			}
			if err != nil {
				return fmt.Errorf("chunk %d: %w", c, err)
			}
		}
	}
	return nil
}
