package job

import (
	"encoding/json"
	"fmt"
)

// ClassWeights says how much the rows of each class count in the loss. JSON: "balanced", or
// an object with the weights of classes by their names. The zero value means that all rows
// count the same.
type ClassWeights struct {
	Balanced bool
	Of       map[string]float64 // by class; a class that is left out has 1
}

// balanced is the word for weights that follow from the rows of the classes.
const balanced = "balanced"

// maxClassWeights bounds the classes that a spec may name.
const maxClassWeights = 4096

// Words lists the words that may stand for the numbers.
func (ClassWeights) Words() []string { return []string{balanced} }

// Numbers returns the bounds of a number, and the most numbers.
func (ClassWeights) Numbers() (least, most float64, count int) { return 0, MaxWeight, maxClassWeights }

// IsZero reports whether all rows count the same.
func (w ClassWeights) IsZero() bool { return !w.Balanced && len(w.Of) == 0 }

// MarshalJSON writes the word or the object, its names in order.
func (w ClassWeights) MarshalJSON() ([]byte, error) {
	if w.Balanced {
		return json.Marshal(balanced)
	}
	return json.Marshal(w.Of)
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (w *ClassWeights) UnmarshalJSON(data []byte) error {
	var word string
	if json.Unmarshal(data, &word) == nil && word == balanced {
		*w = ClassWeights{Balanced: true}
		return nil
	}
	var of map[string]float64
	if err := json.Unmarshal(data, &of); err != nil || len(of) == 0 || len(of) > maxClassWeights {
		return fmt.Errorf("%.40s: want %s or {class: weight} of 1 to %d classes: %w", data, balanced, maxClassWeights, ErrInvalid)
	}
	*w = ClassWeights{Of: of}
	return nil
}
