package main

import (
	"bytes"
	"math"
	"math/big"
	"os"
	"testing"
)

// The first 50 decimals equal those of published tables.
func TestConstants(t *testing.T) {
	for want, got := range map[string]string{
		"3.14159265358979323846264338327950288419716939937511": pi().Text('f', 50),
		"0.69314718055994530941723212145817656807550013436026": ln2().Text('f', 50),
		"2.71828182845904523536028747135266249775724709369996": exp(number(1)).Text('f', 50),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestFunctions(t *testing.T) {
	for _, x := range []float64{0.01, 0.3, 1, 3, 12, 20} {
		got, _ := mills(number(x)).Float64()
		want := math.Erfc(x/math.Sqrt2) / 2 * math.Exp(x*x/2)
		if math.Abs(got/want-1) > 1e-12 {
			t.Errorf("mills(%v) = %v, want %v", x, got, want)
		}
		z := x / 200
		for name, pair := range map[string][2]float64{
			"artanhc": {float(artanhc(number(z))), math.Atanh(math.Sqrt(z)) / math.Sqrt(z)},
			"sinc":    {float(sinc(number(z))), math.Sin(math.Sqrt(z)) / math.Sqrt(z)},
			"cosine":  {float(cosine(number(z))), math.Cos(math.Sqrt(z))},
		} {
			if math.Abs(pair[0]/pair[1]-1) > 1e-14 {
				t.Errorf("%s(%v) = %v, want %v", name, z, pair[0], pair[1])
			}
		}
	}
}

func float(x *big.Float) float64 {
	v, _ := x.Float64()
	return v
}

// The error reaches its maximum with alternating signs at degree + 2 points. This proves
// that the maximum is minimal.
func TestMinimaxAlternates(t *testing.T) {
	p := polynomials()[0]
	c, relative, err := minimax(p.f, p.lo, p.hi, p.degree)
	if err != nil {
		t.Fatal(err)
	}
	g := newGrid(p.f, p.lo, p.hi, 999)
	coefficients := make([]*big.Float, len(c))
	for i, v := range c {
		coefficients[i] = number(v)
	}
	errs := g.errors(coefficients)
	at := extrema(errs, p.degree+2)
	if len(at) != p.degree+2 {
		t.Fatalf("%d extrema, want %d", len(at), p.degree+2)
	}
	for _, i := range at {
		if e := math.Log2(math.Abs(errs[i])); math.Abs(e-relative) > 0.01 {
			t.Errorf("extremum 2^%.3f, the greatest 2^%.3f", e, relative)
		}
	}
}

// Both files are the current output of the program.
func TestFilesAreCurrent(t *testing.T) {
	for file, pkg := range map[string]string{"../../function_coefficients.go": "vector", "../functions/coefficients.go": "main"} {
		var want bytes.Buffer
		if err := write(&want, pkg); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want.Bytes(), got) {
			t.Errorf("%s is not what the program writes", file)
		}
	}
}
