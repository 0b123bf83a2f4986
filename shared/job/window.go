package job

import (
	"encoding/json"
	"fmt"
)

// MaxWindow is the most rows, columns, stride and dilation of a window over an image.
const MaxWindow = 1024

// Pair is a number for the height of an image and one for its width. JSON: one number for
// both, or a list of two.
type Pair [2]int

// Or returns a number of the pair, or def if the pair is zero.
func (p Pair) Or(i, def int) int {
	if p == (Pair{}) {
		return def
	}
	return p[i]
}

// Sides returns the bounds of each number.
func (Pair) Sides() (least, most int) { return 1, MaxWindow }

// MarshalJSON writes one number if both are the same.
func (p Pair) MarshalJSON() ([]byte, error) {
	if p[0] == p[1] {
		return json.Marshal(p[0])
	}
	return json.Marshal([2]int(p))
}

// UnmarshalJSON reads a number or a list of two.
func (p *Pair) UnmarshalJSON(data []byte) error {
	var one int
	if json.Unmarshal(data, &one) == nil {
		*p = Pair{one, one}
		return nil
	}
	var both []int
	if err := json.Unmarshal(data, &both); err != nil || len(both) != 2 {
		return fmt.Errorf("%.40s: want an integer, or a list of two, for height and width: %w", data, ErrInvalid)
	}
	*p = Pair{both[0], both[1]}
	return nil
}

// Padding is how many rows and columns of zeros surround an image, on each side. JSON:
// "valid" for none, "same" for as many as give an output of ⌈size/stride⌉, or a Pair.
type Padding struct {
	Same bool
	Each Pair
}

// Sides returns the bounds of each number.
func (Padding) Sides() (least, most int) { return 0, MaxWindow }

// Words lists the words.
func (Padding) Words() []string { return []string{"same", "valid"} }

// MarshalJSON writes the padding.
func (p Padding) MarshalJSON() ([]byte, error) {
	switch {
	case p.Same:
		return json.Marshal("same")
	case p.Each == Pair{}:
		return json.Marshal("valid")
	}
	return json.Marshal(p.Each)
}

// UnmarshalJSON reads a padding.
func (p *Padding) UnmarshalJSON(data []byte) error {
	var name string
	if json.Unmarshal(data, &name) != nil {
		*p = Padding{}
		return json.Unmarshal(data, &p.Each)
	}
	if name != "same" && name != "valid" {
		return fmt.Errorf("%.40q: want same, valid, an integer, or a list of two: %w", name, ErrInvalid)
	}
	*p = Padding{Same: name == "same"}
	return nil
}

// Window is a rectangle of taps that moves over an image.
type Window struct {
	Size              Pair
	Strides, Dilation Pair // zero: 1
	Padding           Padding
}
