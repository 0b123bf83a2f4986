package inspect

import (
	"cmp"
	"slices"
	"strings"

	"github.com/axiomhq/hyperloglog"
	"github.com/cespare/xxhash/v2"
)

// counter counts the different texts of a column: exactly while there are few, and then with
// sketches of bounded size. The algorithms of the sketches are HyperLogLog (the number of
// different texts) and Misra and Gries, "Finding repeated elements" (1982), for the most
// frequent ones.
type counter struct {
	most   int // different texts that are kept
	counts map[string]*entry
	exact  bool // counts has every text with its number
	lost   int64
	sketch *hyperloglog.Sketch // of all texts, unless exact
}

// entry is a text that is kept. Its true number is n to n + counter.lost.
type entry struct {
	n    int64
	code uint64 // the texts are numbered in the order of their first occurrence
}

func newCounter(most int) *counter {
	return &counter{most: most, counts: map[string]*entry{}, exact: true}
}

// maxText is the length in bytes from which a text is kept only as its beginning and a hash.
const maxText = 200

// key returns what stands for a text.
func key(text string) string {
	if len(text) <= maxText {
		return text
	}
	const digits = "0123456789abcdef"
	sum := xxhash.Sum64String(text)
	out := make([]byte, 0, maxText+20)
	out = append(out, strings.ToValidUTF8(text[:maxText], "")...)
	out = append(out, "… #"...)
	for shift := 60; shift >= 0; shift -= 4 {
		out = append(out, digits[sum>>shift&15])
	}
	return string(out)
}

// add counts a text. While the counter is exact, it returns the number of the text.
func (c *counter) add(text string) (code uint64) {
	text = key(text)
	if !c.exact {
		c.sketch.InsertHash(xxhash.Sum64String(text))
	}
	if e := c.counts[text]; e != nil {
		e.n++
		return e.code
	}
	if len(c.counts) < c.most {
		code = uint64(len(c.counts))
		c.counts[strings.Clone(text)] = &entry{1, code}
		return code
	}
	if c.exact {
		c.exact, c.sketch = false, hyperloglog.New14()
		for known := range c.counts { // the sketch is the same for any order
			c.sketch.InsertHash(xxhash.Sum64String(known))
		}
		c.sketch.InsertHash(xxhash.Sum64String(text))
	}
	c.lost++
	for known, e := range c.counts {
		if e.n--; e.n == 0 {
			delete(c.counts, known)
		}
	}
	return 0
}

// distinct returns the number of different texts. estimated: it is about 1 % off.
func (c *counter) distinct() (n int64, estimated bool) {
	if c.exact {
		return int64(len(c.counts)), false
	}
	return max(int64(c.sketch.Estimate()), int64(c.most)+1), true
}

// Value is a frequent value of a column.
type Value struct {
	Value string `json:"value"`
	Count int64  `json:"count"`
	// AtLeast: the value is there Count times or more, because there are too many different
	// values to count each.
	AtLeast bool `json:"at_least,omitempty"`
}

// top returns the n most frequent texts, the first in order where numbers are equal. Texts
// that may be as rare as any other are left out.
func (c *counter) top(n int) []Value {
	var out []Value
	for text, e := range c.counts {
		if c.exact || e.n > c.lost/8+1 {
			out = append(out, Value{text, e.n, !c.exact})
		}
	}
	slices.SortFunc(out, func(a, b Value) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Value, b.Value))
	})
	return out[:min(n, len(out))]
}
