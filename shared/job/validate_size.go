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
	inputs, params := int64(max(features, 1)), int64(0)
	for i, l := range s.Model.Layers {
		if l.Dense == nil || l.Dense.Units < 1 || l.Dense.Units > maxUnits {
			return // this is another fault
		}
		units := int64(l.Dense.Units)
		if inputs > MaxParams {
			inputs = MaxParams + 1 // so that the product does not overflow 64 bits
		}
		params += inputs * units
		if l.Dense.Bias == nil || *l.Dense.Bias {
			params += units
		}
		if params > MaxParams {
			fs.at(index("model.layers", i)+".dense.units", "%d: %d parameters up to here: want at most %d (4 bytes each)", l.Dense.Units, params, MaxParams)
			return
		}
		inputs = units
	}
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
