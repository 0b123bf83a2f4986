package capacity

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
)

// BitsPerSecond is a bandwidth in bits per second. Its text form has a unit: 10Gbps.
type BitsPerSecond float64

// The plausible range: from a telephone line to more than any link.
const (
	leastBandwidth = 1e3
	mostBandwidth  = 1e15
)

// units are the names of bits per second, without the prefix for a power of ten.
var units = []string{"bps", "bit/s", "b/s"}

// UnmarshalText reads a number with an SI prefix and a unit.
func (b *BitsPerSecond) UnmarshalText(text []byte) error {
	value, unit, err := humanize.ParseSI(strings.TrimSpace(string(text)))
	if err != nil || !slices.Contains(units, unit) {
		return fmt.Errorf("%q: want a number, one of the prefixes k, M, G and T, and the unit bps, such as 10Gbps", text)
	}
	if !(value >= leastBandwidth && value <= mostBandwidth) {
		return fmt.Errorf("%q: %g bits per second: want 1kbps to 1000Tbps (M is mega, m is milli)", text, value)
	}
	*b = BitsPerSecond(value)
	return nil
}

// String formats the bandwidth in the form that UnmarshalText reads.
func (b BitsPerSecond) String() string {
	value, prefix := humanize.ComputeSI(float64(b))
	return humanize.Ftoa(value) + prefix + "bps"
}
