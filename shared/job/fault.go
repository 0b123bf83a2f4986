package job

import (
	"errors"
	"fmt"
	"strconv"
)

// Fault is one error in a spec. It wraps [ErrInvalid].
type Fault struct {
	Path     string // path of the field: data.split.train, model.layers[1].dense.units
	Sentence string // the value there, and which values are allowed
}

func (f *Fault) Error() string { return f.Path + ": " + f.Sentence }

// Unwrap returns ErrInvalid.
func (f *Fault) Unwrap() error { return ErrInvalid }

// faults collects the faults of a spec.
type faults []error

// at adds a fault of the field at path.
func (fs *faults) at(path, format string, args ...any) {
	*fs = append(*fs, &Fault{Path: path, Sentence: fmt.Sprintf(format, args...)})
}

func (fs faults) join() error { return errors.Join(fs...) }

// number formats x as people write it: 1.1, not 1.1000000000000001.
func number(x float64) string { return strconv.FormatFloat(x, 'g', 7, 64) }
