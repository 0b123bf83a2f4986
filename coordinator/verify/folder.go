package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"tributary/coordinator/ingest"
	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/gradient"
	"tributary/shared/history"
	"tributary/shared/job"
	"tributary/shared/model"
	"tributary/shared/plan"
	"tributary/shared/registry"
)

// defaultChunkLen is the chunk length of a model without a history.
const defaultChunkLen = 64 << 10

// OpenFolder collects the records of a saved model and reads its data again from the
// sources in its spec. It needs no server.
func OpenFolder(ctx context.Context, dir string, sources ingest.Opener, say func(string)) (*Subject, error) {
	model, err := registry.Load(dir)
	if err != nil {
		return nil, err
	}
	card := &model.Card
	if err := checkNumerics(fmt.Sprintf("the model in %q", dir), card.Numerics); err != nil {
		return nil, err
	}
	s := &Subject{ID: card.ID, History: &history.History{}, Final: card.ParametersSHA256}
	data, err := historyOf(dir)
	f := &history.File{ChunkLen: defaultChunkLen}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.Notes = append(s.Notes, fmt.Sprintf("there is no %s in %q, so only the final parameters can be compared", history.FileName, dir))
	case err != nil:
		return nil, fmt.Errorf("read the history of the model in %q: %w", dir, err)
	default:
		if f, err = history.Decode(data); err != nil {
			return nil, fmt.Errorf("model in %q: %w", dir, err)
		}
	}
	p, err := planAgain(ctx, card, f.ChunkLen, sources, s, say)
	if err != nil {
		return nil, fmt.Errorf("model in %q: %w", dir, err)
	}
	if s.Engine, err = gradient.Compile(ctx, p, s.Store, dataset.NewCache(s.Store, blockCache)); err != nil {
		return nil, fmt.Errorf("model in %q: %w", dir, err)
	}
	s.Layout, s.Committed = s.Engine.Layout(job.Ref{Job: card.ID, Run: card.Run}), p.Steps()
	if (p.Spec.EarlyStopping != nil || p.Spec.Stop != nil) && card.Steps > 0 && card.Steps < s.Committed {
		s.Committed = card.Steps
	}
	if s.Committed != card.Steps {
		return nil, fmt.Errorf("model in %q: %s says %d steps; its spec and data take %d: %w", dir, registry.CardFile, card.Steps, s.Committed, job.ErrCorrupt)
	}
	if s.Layout.Plan != card.Plan {
		return nil, fmt.Errorf("model in %q: %s names the plan %.80q; its spec and data make %s: the spec, the initial weights or the chunk length (%d) are others: %w",
			dir, registry.CardFile, string(card.Plan), s.Layout.Plan, f.ChunkLen, job.ErrCorrupt)
	}
	if data != nil {
		err = s.take(data)
	}
	return s, err
}

// historyOf reads the history from a model's folder.
func historyOf(dir string) ([]byte, error) {
	f, err := os.Open(filepath.Join(dir, history.FileName))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return readHistory(f, info.Size())
}

// planAgain makes the plan of a model's card in the same way as the coordinator.
func planAgain(ctx context.Context, card *registry.Card, chunkLen int, sources ingest.Opener, s *Subject, say func(string)) (*plan.Plan, error) {
	blobs := blob.NewMemory(0)
	s.Store = blobs
	manifest, err := ingest.Run(ctx, &card.Spec, sources, blobs, say)
	if err != nil {
		return nil, fmt.Errorf("read its data again: %w", err)
	}
	encoded, err := json.Marshal(manifest)
	if err != nil {
		return nil, fmt.Errorf("encode manifest: %w", err)
	}
	if got := blob.DigestOf(encoded); got != card.Dataset {
		return nil, fmt.Errorf("data: the source %q now makes the dataset %s; the model was trained on %.80q: the source has changed since, or %.80q, which wrote the model, reads it in another way: %w",
			card.Spec.Data.Source, got, string(card.Dataset), card.Versions.Program, job.ErrConflict)
	}
	return plan.Make(&card.Spec, manifest, chunkLen, func(from string, tensors []model.Tensor) (digest job.Digest, err error) {
		err = ingest.Weights(ctx, sources, from, tensors, func(data []byte) error {
			digest, err = blobs.Put(ctx, data)
			return err
		})
		return digest, err
	})
}
