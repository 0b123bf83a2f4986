package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/readable"
)

// CardVersion is the version of the model.json this program writes and reads.
const CardVersion = 1

// The bounds of a model.json, in bytes: of its text, a spec of 1 MiB and
// preprocessing, and of about what that takes in memory when it is decoded.
const (
	maxCard        = 64 << 20
	maxDecodedCard = 256 << 20
)

// Card tells everything about a model but its parameters. model.json is one.
type Card struct {
	Version int       `json:"version"` // CardVersion
	ID      job.ID    `json:"id"`      // the job it came from, and its name in the registry
	Run     job.Run   `json:"run"`
	Name    string    `json:"name"` // the spec's
	Created time.Time `json:"created"`

	Spec          job.Spec               `json:"spec"`
	Preprocessing *dataset.Preprocessing `json:"preprocessing"`     // as fitted on the training split
	Classes       []string               `json:"classes,omitempty"` // of the outputs, in order; two for one sigmoid
	Features      int                    `json:"features"`          // network inputs, after preprocessing
	Outputs       int                    `json:"outputs"`

	Steps     int64                            `json:"steps"`
	TrainLoss *float64                         `json:"train_loss"`          // nil where it is undefined
	Metrics   map[job.Split]map[string]float64 `json:"metrics"`             // those that are finite numbers
	Undefined map[job.Split]map[string]string  `json:"undefined,omitempty"` // why there is no number, by split and metric

	Dataset          job.Digest   `json:"dataset"` // of the manifest
	Plan             job.Digest   `json:"plan"`    // of the spec and the dataset together
	ParametersSHA256 job.Digest   `json:"parameters_sha256"`
	FrozenSHA256     job.Digest   `json:"frozen_sha256,omitempty"` // of those that training has left as they were
	Numerics         job.Numerics `json:"numerics"`                // arithmetic the parameters were computed with
	Versions         Versions     `json:"versions"`                // what wrote the model
}

// Versions are those that can change a model's bits.
type Versions struct {
	Program string `json:"program"`
	Go      string `json:"go"`
	Gonum   string `json:"gonum"`
}

// encode returns the model.json. A metric that is not a finite number has no JSON and is
// among those that are undefined.
func (c Card) encode() ([]byte, error) {
	metrics, undefined := make(map[job.Split]map[string]float64, len(c.Metrics)), maps.Clone(c.Undefined)
	for split, values := range c.Metrics {
		var why map[string]string
		if metrics[split], why = job.FiniteFigures(values, c.Undefined[split]); why == nil {
			continue
		}
		if undefined == nil {
			undefined = map[job.Split]map[string]string{}
		}
		undefined[split] = why
	}
	c.Metrics, c.Undefined = metrics, undefined
	data, err := readable.Indented(c)
	if err != nil {
		return nil, fmt.Errorf("encode %s of model %.80q: %w", CardFile, string(c.ID), err)
	}
	return append(data, '\n'), nil
}

// readCard reads a model.json of size bytes, and returns about what the card takes in
// memory. Nothing is decoded before its size is known.
func readCard(r io.Reader, size int64) (Card, int64, error) {
	if size > maxCard {
		return Card{}, 0, fmt.Errorf("it has %d bytes: at most %d are read: %w", size, maxCard, job.ErrInvalid)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(r, data); err != nil {
		return Card{}, 0, err
	}
	decoded, err := decodedBytes(data)
	if err != nil {
		return Card{}, 0, fmt.Errorf("%w: %w", err, job.ErrCorrupt)
	}
	if decoded > maxDecodedCard {
		return Card{}, 0, fmt.Errorf("it takes %d bytes when it is decoded: want at most %d: %w", decoded, maxDecodedCard, job.ErrInvalid)
	}
	card, err := decodeCard(data)
	return card, decoded, err
}

// decodedBytes is an upper bound of what JSON takes in memory as a Card: a few
// characters can stand for a large struct, map or slice.
func decodedBytes(data []byte) (int64, error) {
	const object, array, text, other = 192, 32, 40, 24
	n := int64(0)
	for d := jsontext.NewDecoder(bytes.NewBuffer(data)); ; {
		token, err := d.ReadToken()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return 0, err
		}
		switch token.Kind() {
		case jsontext.KindBeginObject:
			n += object
		case jsontext.KindBeginArray:
			n += array
		case jsontext.KindString:
			n += text
		default:
			n += other
		}
		if n > maxDecodedCard {
			return n, nil // the caller wants no more
		}
	}
}

// decodeCard decodes a model.json.
func decodeCard(data []byte) (Card, error) {
	var v struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return Card{}, fmt.Errorf("%w: %w", err, job.ErrCorrupt)
	}
	if v.Version != CardVersion {
		return Card{}, fmt.Errorf("it has version %d; this program reads version %d: %w", v.Version, CardVersion, job.ErrInvalid)
	}
	var c Card
	if err := json.Unmarshal(data, &c); err != nil {
		return Card{}, fmt.Errorf("%w: %w", err, job.ErrCorrupt)
	}
	if err := c.ID.Validate(); err != nil {
		return Card{}, fmt.Errorf("%w: %w", err, job.ErrCorrupt)
	}
	return c, nil
}
