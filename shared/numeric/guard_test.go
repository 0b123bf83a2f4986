package numeric_test

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// guarded are the packages between data and parameters. The digest of a job depends on what
// they compute.
var guarded = []string{
	"tributary/shared/numeric/...", "tributary/shared/model", "tributary/shared/objective", "tributary/shared/executor", "tributary/shared/optim", "tributary/shared/gradient",
	"tributary/shared/replica", "tributary/shared/serial", "tributary/shared/monitor", "tributary/shared/dataset/...", "tributary/shared/metric",
	"tributary/shared/plan", "tributary/shared/tree", "tributary/shared/rounding", "tributary/worker/compute", "tributary/coordinator/ingest",
}

// allowed lists the functions of foreign packages that may be used, although they do
// arithmetic or order things. Each is the same on every CPU. nil allows no function. A
// package that is not listed is not checked.
var allowed = map[string][]string{
	// These are exact, or correctly rounded by IEEE 754. The other functions of package
	// math are assembly on some CPUs and do not guarantee bits.
	"math": {
		"Sqrt", "FMA", "Abs", "Copysign", "RoundToEven", "Floor", "Max", "Min", "Signbit",
		"IsNaN", "IsInf", "NaN", "Inf", "Float32bits", "Float64bits", "Float32frombits", "Float64frombits",
	},
	"math/cmplx":   nil,
	"math/rand":    nil, // package numeric makes random numbers, by seed and counter
	"math/rand/v2": nil,
	"crypto/rand":  nil,
	// Types of arguments and constants, and the products that package blas specifies.
	"gonum.org/v1/gonum/blas/blas32": {"Gemm", "Gemv", "Ger", "Axpy", "Scal", "Dot", "Nrm2", "Asum", "Use", "Implementation"},
	"gonum.org/v1/gonum/floats":      nil,
	"gonum.org/v1/gonum/mat":         nil,
	"gonum.org/v1/gonum/stat":        nil,
}

// Between data and parameters there is no function with platform-dependent bits, no fused
// product, no iteration order of a map, no clock and no randomness.
func TestSourceIsDeterministic(t *testing.T) {
	check := func(arch, flag string, packages []string) {
		var found []string
		sources, _ := load(t, arch, flag, packages...)
		for _, s := range sources {
			found = append(found, s.faults()...)
		}
		require.Empty(t, found, "for %s:\n%s", arch, strings.Join(found, "\n"))
	}
	check(runtime.GOARCH, "-gcflags=", guarded) // as the tests are compiled
	_, packages := foreign(t)
	check("arm64", withListing, packages)
}

// The guard reports each line of the fixture that has a comment for it, with the words of
// that comment, and no other line.
func TestGuardSeesFaults(t *testing.T) {
	sources, _ := load(t, runtime.GOARCH, "-gcflags=", "./testdata/guard")
	s := sources[0]
	var want []string
	for _, f := range s.files {
		for _, c := range f.Comments {
			if text, ok := strings.CutPrefix(c.Text(), "want "); ok {
				want = append(want, s.at(c)+": "+strings.TrimSpace(text))
			}
		}
	}
	require.Greater(t, len(want), 12)
	require.ElementsMatch(t, want, s.faults())
}

// faults returns the faults of a package as file:line: fault.
func (s source) faults() []string {
	var found []string
	for _, f := range s.files {
		var stack []ast.Node // from the file to the node's parent
		ast.Inspect(f, func(n ast.Node) bool {
			if n == nil {
				stack = stack[:len(stack)-1]
				return true
			}
			for _, what := range []string{s.foreign(n), s.fusible(n, stack), s.disordered(n, stack)} {
				if what != "" {
					found = append(found, s.at(n)+": "+what)
				}
			}
			stack = append(stack, n)
			return true
		})
	}
	return found
}

// foreign finds functions of other packages that are not allowed.
func (s source) foreign(n ast.Node) string {
	e, ok := n.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	if _, function := s.Uses[e.Sel].(*types.Func); !function {
		return ""
	}
	pkg, name := s.used(e)
	if list, known := allowed[pkg]; known && !slices.Contains(list, name) {
		return fmt.Sprintf("%s.%s is not specified", pkg, name)
	}
	if pkg == "time" && (name == "Now" || name == "Since" || name == "Until") {
		return "the clock is read"
	}
	return ""
}

// fusible finds products of floats that a compiler may round together with a later sum. The
// language allows this "across statements", so it applies wherever the products are stored,
// returned or passed on. A quotient by a power of two is also such a product, because the
// compiler turns it into one. Products are harmless if they are converted, or if they go
// directly into another product, a quotient, a comparison, or package math.
func (s source) fusible(n ast.Node, stack []ast.Node) string {
	const fault = "a product is not converted"
	if a, ok := n.(*ast.AssignStmt); ok && s.floats(a.Lhs[0]) && (a.Tok == token.MUL_ASSIGN || a.Tok == token.QUO_ASSIGN && s.power(a.Rhs[0])) {
		return fault
	}
	b, ok := n.(*ast.BinaryExpr)
	if !ok || !s.floats(b) || b.Op != token.MUL && (b.Op != token.QUO || !s.power(b.Y)) {
		return ""
	}
	for _, parent := range slices.Backward(stack) {
		switch p := parent.(type) {
		case *ast.ParenExpr:
			continue
		case *ast.BinaryExpr:
			if p.Op != token.ADD && p.Op != token.SUB {
				return ""
			}
		case *ast.CallExpr:
			pkg, _ := s.used(p.Fun)
			if pkg == "math" || s.Types[p.Fun].IsType() {
				return ""
			}
		}
		return fault
	}
	return fault
}

// power reports whether e is a constant power of two.
func (s source) power(e ast.Expr) bool {
	v := s.Types[e].Value
	if v == nil {
		return false
	}
	x, _ := constant.Float64Val(constant.ToFloat(v))
	fraction, _ := math.Frexp(x)
	return math.Abs(fraction) == 0.5
}

// disordered finds code that depends on the iteration order of a map. Such code must sort
// the keys first: slices.Sorted(maps.Keys(m)).
func (s source) disordered(n ast.Node, stack []ast.Node) string {
	switch e := n.(type) {
	case *ast.RangeStmt:
		if _, ok := s.Types[e.X].Type.Underlying().(*types.Map); !ok {
			return ""
		}
	case *ast.CallExpr:
		pkg, name := s.used(e.Fun)
		if pkg != "maps" || name != "Keys" && name != "Values" && name != "All" {
			return ""
		}
		if parent, ok := stack[len(stack)-1].(*ast.CallExpr); ok {
			if pkg, name := s.used(parent.Fun); pkg == "slices" && strings.HasPrefix(name, "Sorted") {
				return ""
			}
		}
	default:
		return ""
	}
	return "a map has no order"
}
