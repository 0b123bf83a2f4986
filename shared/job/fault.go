package job

import (
	"errors"
	"fmt"
	"strconv"
)

// Fault is one thing that is wrong with a spec. It is an [ErrInvalid].
type Fault struct {
	Path     string // of the field: data.split.train, model.layers[1].dense.units
	Sentence string // what stands there and what is allowed
}

func (f *Fault) Error() string { return f.Path + ": " + f.Sentence }

// Unwrap makes every fault an ErrInvalid.
func (f *Fault) Unwrap() error { return ErrInvalid }

// faults collects what is wrong with a spec.
type faults []error

// at adds a fault of the field at path.
func (fs *faults) at(path, format string, args ...any) {
	*fs = append(*fs, &Fault{Path: path, Sentence: fmt.Sprintf(format, args...)})
}

func (fs faults) join() error { return errors.Join(fs...) }

// number writes x as people do: 1.1 rather than 1.1000000000000001.
func number(x float64) string { return strconv.FormatFloat(x, 'g', 7, 64) }
