package job

import (
	"bytes"
	"encoding/json"
)

// CheckSize returns a [Fault] if the model has more than [MaxParams] parameters for rows of
// so many features. If features is not known yet, it counts as 1, because any dataset has at least one.
func (s *Spec) CheckSize(features int) error {
	var fs faults
	s.validateSize(&fs, features)
	return fs.join()
}

func (s *Spec) validateSize(fs *faults, features int) {
	z := size{fs: fs, units: int64(max(features, 1)), known: features > 0}
	z.stack("model.layers", s.Model.Layers)
}

// size follows the units and the parameters through a stack of layers.
type size struct {
	fs     *faults
	units  int64 // of the last layer
	known  bool  // units are exact, not only at least 1
	params int64
}

// stack adds up layers. It returns false after a fault, and where a layer has another fault.
func (z *size) stack(path string, layers []Layer) bool {
	for i := range layers {
		if !z.layer(index(path, i), &layers[i]) {
			return false
		}
	}
	return true
}

func (z *size) layer(path string, l *Layer) bool {
	switch {
	case len(l.Kinds()) != 1:
		return false
	case l.Dense != nil:
		return z.dense(path+".dense.units", l.Dense)
	case l.LayerNorm != nil:
		z.params += 2 * z.units
	case l.GroupNorm != nil:
		if n := int64(l.GroupNorm.Groups); z.known && n > 0 && z.units%n != 0 {
			z.fs.at(path+".group_norm.groups", "%d: want a divisor of the %d units", n, z.units)
			return false
		}
		z.params += 2 * z.units
	case l.BatchNorm != nil:
		z.params += 4 * z.units
	case l.RMSNorm != nil:
		z.params += z.units
	case l.Images():
		z.units, z.known = 0, false // the compiler of the model knows
	case l.Residual != nil:
		in, known := z.units, z.known
		if !z.stack(path+".residual.layers", l.Residual.Layers) {
			return false
		}
		if known && z.known && in != z.units {
			z.fs.at(path+".residual", "%d units in, %d out: want as many", in, z.units)
			return false
		}
		z.units = max(in, z.units)
		z.known = z.known || known
	}
	return true
}

func (z *size) dense(path string, d *Dense) bool {
	if d.Units < 1 || d.Units > maxUnits {
		return false
	}
	inputs, units := z.units, int64(d.Units)
	if inputs > MaxParams {
		inputs = MaxParams + 1 // so that the product does not overflow 64 bits
	}
	z.params += inputs * units
	if d.Bias == nil || *d.Bias {
		z.params += units
	}
	if z.params > MaxParams {
		z.fs.at(path, "%d: %d parameters up to here: want at most %d (4 bytes each)", d.Units, z.params, MaxParams)
		return false
	}
	z.units, z.known = units, true
	return true
}

// features returns the number of columns of x, or 0 if x does not show it.
func (d *Inline) features() int {
	if d == nil {
		return 0
	}
	rows := json.NewDecoder(bytes.NewReader(d.X))
	if begin, err := rows.Token(); err != nil || begin != json.Delim('[') || !rows.More() {
		return 0
	}
	var first any
	if err := rows.Decode(&first); err != nil {
		return 0
	}
	if row, nested := first.([]any); nested {
		return len(row)
	}
	return 1
}
