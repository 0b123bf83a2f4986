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

// Limits of a model.json, in bytes: its text, with a spec of 1 MiB and preprocessing, and
// an estimate of the memory of the decoded card.
const (
	maxCard        = 64 << 20
	maxDecodedCard = 256 << 20
)

// Card describes everything about a model except its parameters. model.json contains a
// Card.
type Card struct {
	Version int       `json:"version"` // CardVersion
	ID      job.ID    `json:"id"`      // the job that made it; also its name in the registry
	Run     job.Run   `json:"run"`
	Name    string    `json:"name"` // from the spec
	Created time.Time `json:"created"`

	Spec          job.Spec               `json:"spec"`
	Preprocessing *dataset.Preprocessing `json:"preprocessing"`     // as fitted on the training split
	Classes       []string               `json:"classes,omitempty"` // of the outputs, in order; two for one sigmoid output
	Features      int                    `json:"features"`          // network inputs, after preprocessing
	Outputs       int                    `json:"outputs"`

	Steps     int64                            `json:"steps"`               // that were taken
	BestStep  int64                            `json:"best_step,omitempty"` // with early stopping: the parameters are those after so many steps; 0: after all
	Choice    string                           `json:"choice,omitempty"`    // with early stopping: which step the parameters are from and why
	TrainLoss *float64                         `json:"train_loss"`          // nil if it is undefined
	Metrics   map[job.Split]map[string]float64 `json:"metrics"`             // only finite numbers
	Undefined map[job.Split]map[string]string  `json:"undefined,omitempty"` // the reason why there is no number, by split and metric
	Confusion map[job.Split]*job.Confusion     `json:"confusion,omitempty"` // by split, if the spec asks for confusion matrices

	Threshold *job.Threshold `json:"threshold,omitempty"` // from which score on a row is of the second class

	// Weight and ClassRows are those of the manifest, for the weights of rows and classes.
	Weight    *dataset.Weight `json:"weight,omitempty"`
	ClassRows []int64         `json:"class_rows,omitempty"`

	Dataset          job.Digest    `json:"dataset"`            // of the manifest
	Datasets         []job.Dataset `json:"datasets,omitempty"` // the named data sets that it was trained on
	Plan             job.Digest    `json:"plan"`               // of the spec and the dataset together
	ParametersSHA256 job.Digest    `json:"parameters_sha256"`
	FrozenSHA256     job.Digest    `json:"frozen_sha256,omitempty"`  // digest of the parameters that training does not change
	ProfileSHA256    job.Digest    `json:"profile_sha256,omitempty"` // of the file that describes the training rows
	Numerics         job.Numerics  `json:"numerics"`                 // the arithmetic that computed the parameters
	Versions         Versions      `json:"versions"`                 // of the program that wrote the model
}

// Versions are the versions of the programs that can change a model's bits.
type Versions struct {
	Program string `json:"program"`
	Go      string `json:"go"`
	Gonum   string `json:"gonum"`
}

// encode returns the model.json. JSON cannot represent a metric that is not a finite
// number, so encode moves it to Undefined.
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

// readCard reads a model.json of size bytes. It returns the card and an estimate of the
// card's memory, in bytes. It checks both sizes before it decodes.
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

// decodedBytes returns an upper bound of the memory that the JSON takes as a Card. A few
// characters can stand for a large struct, map or slice. It stops counting above
// maxDecodedCard.
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
		case jsontext.KindBeginObject, jsontext.KindNull: // null may stand for a struct
			n += object
		case jsontext.KindBeginArray:
			n += array
		case jsontext.KindString:
			n += text
		default:
			n += other
		}
		if n > maxDecodedCard {
			return n, nil // enough: the caller refuses it
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
