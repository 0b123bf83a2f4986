package sim

import (
	"context"
	"fmt"
	"io"
	"maps"
	"strings"
	"time"

	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/notice"
)

// blobsPort is a process's connection to the blob store.
type blobsPort struct {
	p *process
	// damaged has the blobs that last arrived with damaged bytes. A blob is not damaged
	// twice in a row, because the second time counts as a fault of the store.
	damaged map[job.Digest]bool
}

func newBlobsPort(p *process) blobsPort { return blobsPort{p, map[job.Digest]bool{}} }

var _ blob.Store = blobsPort{}

func (b blobsPort) op(write bool, what string, digest job.Digest) operation {
	return operation{store: blobStore, name: what + " " + string(digest[:min(8, len(digest))]), write: write}
}

func (b blobsPort) Put(ctx context.Context, data []byte) (job.Digest, error) {
	data = append([]byte(nil), data...)
	return call(ctx, b.p, b.op(true, "store", blob.DigestOf(data)), func() (job.Digest, error) {
		b.p.w.kept[blob.DigestOf(data)] = true
		return b.p.w.blobs.Put(in, data)
	})
}

func (b blobsPort) Get(ctx context.Context, digest job.Digest) ([]byte, error) {
	op := b.op(false, "fetch", digest)
	return call(ctx, b.p, op, func() ([]byte, error) {
		w := b.p.w
		data, err := w.blobs.Get(in, digest)
		if err != nil || !isBlock(data) {
			return data, err
		}
		r := w.random(fmt.Sprint("damage ", b.p.name, digest, time.Since(w.began)))
		if b.damaged[digest] = !w.calm && !b.damaged[digest] && r.Float64() < w.swarm.damage; b.damaged[digest] {
			w.reached("a block's bytes arrive damaged")
			if b.p.has(skipsDigests) {
				return anotherBlock(data), nil
			}
			return nil, fmt.Errorf("blob %s: %w", digest, job.ErrCorrupt)
		}
		return data, nil
	})
}

func isBlock(data []byte) bool {
	_, err := dataset.DecodeBlock(data)
	return err == nil
}

// anotherBlock returns a block with the same number of rows and another value in the
// first row.
func anotherBlock(data []byte) []byte {
	b, err := dataset.DecodeBlock(data)
	if err != nil {
		panic(err) // it was decoded a moment ago
	}
	b.X[0]++
	return dataset.Encode(b)
}

func (b blobsPort) Has(ctx context.Context, digest job.Digest) (bool, error) {
	return call(ctx, b.p, b.op(false, "has", digest), func() (bool, error) { return b.p.w.blobs.Has(in, digest) })
}

func (b blobsPort) Delete(ctx context.Context, digest job.Digest) error {
	_, err := call(ctx, b.p, b.op(true, "delete-blob", digest), func() (struct{}, error) {
		delete(b.p.w.kept, digest)
		return struct{}{}, b.p.w.blobs.Delete(in, digest)
	})
	return err
}

// modelsPort is a process's connection to the registry. Its writes never arrive late,
// because a file is put in many messages that are each confirmed.
type modelsPort struct{ p *process }

func (m modelsPort) PutFile(ctx context.Context, model, file string, content io.Reader) error {
	data, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	_, err = call(ctx, m.p, operation{store: natsStore, name: "model " + model + "/" + file}, func() (struct{}, error) {
		m.p.w.models[model+"/"+file] = data
		return struct{}{}, nil
	})
	return err
}

func (m modelsPort) SetAlias(ctx context.Context, alias, model string) error {
	_, err := call(ctx, m.p, operation{store: natsStore, name: "alias " + alias}, func() (struct{}, error) {
		m.p.w.aliases[alias] = model
		return struct{}{}, nil
	})
	return err
}

func (m modelsPort) Has(ctx context.Context, model string) (bool, error) {
	return call(ctx, m.p, operation{store: natsStore, name: "look-model " + model}, func() (bool, error) {
		return m.p.w.models[model+"/model.json"] != nil, nil
	})
}

func (m modelsPort) Probe(ctx context.Context) error {
	_, err := call(ctx, m.p, operation{store: natsStore, name: "probe-models"}, func() (struct{}, error) { return struct{}{}, nil })
	return err
}

func (m modelsPort) Delete(ctx context.Context, model string) error {
	_, err := call(ctx, m.p, operation{store: natsStore, name: "delete-model " + model, write: true}, func() (struct{}, error) {
		maps.DeleteFunc(m.p.w.models, func(file string, _ []byte) bool { return strings.HasPrefix(file, model+"/") })
		maps.DeleteFunc(m.p.w.aliases, func(_, of string) bool { return of == model })
		return struct{}{}, nil
	})
	return err
}

// eventsPort publishes a process's events for people. It never blocks.
type eventsPort struct{ p *process }

func (e eventsPort) Publish(v notice.Event) error {
	if err := v.Validate(); err != nil {
		e.p.w.locked(func() { e.p.w.wrong("%s tells people of %+v: %v", e.p.name, v, err) })
		return err
	}
	e.p.w.locked(func() {
		if !e.p.dead {
			e.p.w.events = append(e.p.w.events, v)
			if v.Type == notice.WaitingEvent && strings.Contains(v.Message, "memory") {
				e.p.w.reached("a job waits for room in the ledger")
			} else if v.Type == notice.WaitingEvent && strings.Contains(v.Message, "Redis") {
				e.p.w.reached("a job waits for a ledger that refuses writes")
			} else if v.Type == notice.WaitingEvent && strings.Contains(v.Message, "needs novelty") {
				e.p.w.reached("a job waits for a worker that knows it")
			}
		}
	})
	return nil
}
