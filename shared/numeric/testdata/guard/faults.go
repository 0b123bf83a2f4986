// Package guard is made of faults for the guards of package numeric, which find
// each line that says so and no other.
package guard

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"gonum.org/v1/gonum/blas/blas32"
)

// Fused computes what arm64 fuses, unless it is told not to.
func Fused(x, y, z float32) float32 {
	return x*y + z // want a product is not converted
}

func products(v []float64, x, y, z float64) float64 {
	z += x * y     // want a product is not converted
	z -= x * y     // want a product is not converted
	v[0] = -x * -y // want a product is not converted
	z *= x         // want a product is not converted
	p := (x * y)   // want a product is not converted
	z += p
	z += twice(x * y) // want a product is not converted
	z -= 2 * x        // want a product is not converted
	z += x / 4        // want a product is not converted
	z -= y / 0.5      // want a product is not converted
	z /= 2            // want a product is not converted
	z /= 3
	z += x/3 + float64(y/2) + float64(x*y) + math.FMA(x, y, z) + math.Sqrt(x*y)
	if x*y > z || x*y/z > 3 {
		return 2 * math.Pi
	}
	i := 3
	return v[i*i+1] + float64(2*float64(x*y))
}

func twice(x float64) float64 { return 2 * x } // want a product is not converted

func generic[F ~float32 | ~float64](x, y F) F {
	return x*y - y // want a product is not converted
}

func foreign(x float64, a blas32.Vector) float64 {
	x += math.Exp(x) // want math.Exp is not specified
	f := math.Pow    // want math.Pow is not specified
	x += f(x, 2)
	x += rand.Float64()                   // want math/rand/v2.Float64 is not specified
	x -= float64(blas32.DDot(a, a))       // want gonum.org/v1/gonum/blas/blas32.DDot is not specified
	return x - float64(time.Now().Unix()) // want the clock is read
}

func ordered(m map[string]float64) (sum float64) {
	for _, v := range m { // want a map has no order
		sum += v
	}
	for _, v := range slices.Collect(maps.Values(m)) { // want a map has no order
		sum += v
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		sum += m[k]
	}
	return sum
}
