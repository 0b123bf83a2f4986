// Package registry owns the result of a finished job: a model that can predict on raw rows
// without the job, and the files of the model.
//
// It owns the model's card (model.json), its weights (model.safetensors), how to read and
// write them, and prediction. It does not know where models are stored over NATS. The
// coordinator writes models; the predict command and the workers read them; package
// gradient reads initial weights.
//
// Invariant: a decoded model has the parameters whose digest its card names, in the shapes
// that its spec describes, and all of them are finite.
package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"tributary/shared/dataset"
	"tributary/shared/drift"
	"tributary/shared/job"
	"tributary/shared/model"
	"tributary/shared/objective"
	"tributary/shared/telemetry/build"
	"tributary/shared/wire"
)

// Model is a trained model. It is immutable and safe for concurrent use.
type Model struct {
	Card      Card
	Network   *model.Network
	objective objective.Objective
	Weights   model.Weights

	// Training prepares the description of the training rows for comparisons; nil if the
	// model has none.
	Training *drift.Baseline
	profile  []byte           // the description, or nil
	counters []*drift.Counter // of the rows that the model predicts on

	rows  *dataset.RowReader
	bytes int64
}

// New makes a model from the result of training. It keeps the weights. It computes the rest
// of the card: version, features, outputs, the digests of the parameters, and the versions
// of this program. It fails with job.ErrInvalid if the card contradicts itself or a
// parameter is not finite.
func New(card Card, weights model.Weights) (*Model, error) {
	m := &Model{Card: card, Weights: weights}
	m.Card.Version = CardVersion
	if err := m.compile(); err != nil {
		return nil, err
	}
	for _, v := range []struct {
		what   string
		values []float32
		want   int
	}{{"parameter", weights.Trained, m.Network.Params()}, {"frozen parameter", weights.Frozen, m.Network.Frozen()}} {
		if len(v.values) != v.want {
			return nil, fmt.Errorf("model %s: %d %ss; its spec has %d: %w", card.ID, len(v.values), v.what, v.want, job.ErrInvalid)
		}
		if i := slices.IndexFunc(v.values, notFinite); i >= 0 {
			return nil, fmt.Errorf("model %s: %s %d is %v: %w", card.ID, v.what, i, v.values[i], job.ErrInvalid)
		}
	}
	m.Card.Features, m.Card.Outputs = m.Network.Features(), m.Network.Outputs()
	m.Card.ParametersSHA256, m.Card.FrozenSHA256 = ParametersDigest(weights.Trained), frozenDigest(weights)
	running := build.Read()
	m.Card.Versions = Versions{Program: running.Program, Go: running.Go, Gonum: running.Modules["gonum.org/v1/gonum"]}
	return m, nil
}

// frozenDigest returns the digest of the frozen parameters, or "" if there are none.
func frozenDigest(w model.Weights) job.Digest {
	if len(w.Frozen) == 0 {
		return ""
	}
	return ParametersDigest(w.Frozen)
}

// ParametersDigest returns the SHA-256 of the parameters' float32 little-endian bytes in
// declared order.
func ParametersDigest(params []float32) job.Digest {
	const part = 1 << 16
	h := sha256.New()
	buf := make([]byte, 0, 4*min(part, len(params)))
	for p := range slices.Chunk(params, part) {
		buf = wire.AppendFloats(buf[:0], p)
		h.Write(buf)
	}
	return job.Digest(hex.EncodeToString(h.Sum(nil)))
}

// compile makes the network that the card describes.
func (m *Model) compile() error {
	c := &m.Card
	if c.Preprocessing == nil {
		return fmt.Errorf("model %.80q: preprocessing is missing: %w", string(c.ID), job.ErrInvalid)
	}
	if err := c.Preprocessing.Validate(); err != nil {
		return fmt.Errorf("model %.80q: preprocessing: %w", string(c.ID), err)
	}
	n, err := model.New(c.Spec.Model, inputs(c.Preprocessing)...)
	if err != nil {
		return fmt.Errorf("model %.80q: %w", string(c.ID), err)
	}
	of, err := objective.For(&c.Spec)
	if err == nil {
		err = of.Check(n.Outputs())
	}
	if err != nil {
		return fmt.Errorf("model %.80q: %w", string(c.ID), err)
	}
	m.Network, m.objective, m.rows = n, of, c.Preprocessing.RowReader()
	return c.checkClasses(n.Outputs(), of.Classes(n.Outputs()))
}

// inputs returns what the network of a table reads.
func inputs(p *dataset.Preprocessing) []model.Input {
	e := p.Embedding()
	return model.Embedded(p.Numbers(), e.Columns, e.Rows, e.Units)
}

// checkClasses checks that the number of classes is what the outputs stand for, and that
// the label of a regression is a number.
func (c *Card) checkClasses(outputs, want int) error {
	if k := c.Preprocessing.Label.Kind; want == 0 && k != dataset.Numeric {
		return fmt.Errorf("model %.80q: loss %s with a label of kind %.40q: %w", string(c.ID), c.Spec.Loss, string(k), job.ErrInvalid)
	}
	for i, class := range c.Classes { // an answer contains one class per row
		if len(class) > dataset.MaxCategoryBytes {
			return fmt.Errorf("model %.80q: classes[%d] has %d bytes: want at most %d: %w", string(c.ID), i, len(class), dataset.MaxCategoryBytes, job.ErrInvalid)
		}
	}
	if len(c.Classes) != want {
		return fmt.Errorf("model %.80q: %d classes; loss %s over %d outputs has %d: %w", string(c.ID), len(c.Classes), c.Spec.Loss, outputs, want, job.ErrInvalid)
	}
	return nil
}
