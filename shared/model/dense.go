package model

import (
	"fmt"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"tributary/shared/job"
	"tributary/shared/numeric"
)

// dense is y = activation(x Wᵀ + b).
type dense struct {
	in, out    int // I, O
	weight     int // offset of W [O, I]
	bias       int // offset of b [O]; -1 without
	activation job.Activation
}

// newDense compiles the layer at path whose parameters begin at offset.
func newDense(path string, d job.Dense, inputs, offset int) (dense, error) {
	if d.Units < 1 || d.Units > MaxUnits {
		return dense{}, fmt.Errorf("%s.units: %d: want 1 to %d: %w", path, d.Units, MaxUnits, job.ErrInvalid)
	}
	if inputs > job.MaxParams/d.Units {
		return dense{}, fmt.Errorf("%s.units: %d × %d weights: want at most %d: %w", path, d.Units, inputs, job.MaxParams, job.ErrInvalid)
	}
	a, err := compileActivation(path, d.Activation)
	if err != nil {
		return dense{}, err
	}
	l := dense{in: inputs, out: d.Units, weight: offset, bias: -1, activation: a}
	if d.Bias == nil || *d.Bias {
		l.bias = offset + l.in*l.out
	}
	return l, nil
}

// matrix is v as rows × cols.
func matrix(v []float32, rows, cols int) blas32.General {
	return blas32.General{Rows: rows, Cols: cols, Stride: cols, Data: v}
}

// weights returns W [O, I] within params (or within their gradient).
func (l *dense) weights(params []float32) blas32.General {
	return matrix(params[l.weight:l.weight+l.in*l.out], l.out, l.in)
}

// linear computes z [B, O] = x [B, I] Wᵀ + b.
func (l *dense) linear(z, params, x []float32, rows int) {
	blas32.Gemm(blas.NoTrans, blas.Trans, 1, matrix(x, rows, l.in), l.weights(params), 0, matrix(z, rows, l.out))
	if l.bias >= 0 {
		numeric.AddBias(z, params[l.bias:l.bias+l.out])
	}
}
