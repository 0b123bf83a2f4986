// Command openblas compares the matrix products of package blas with OpenBLAS (through
// gonum's netlib). Both run on one thread, in one process, in turn. It prints a table of
// GFLOP/s and their ratio. It is a separate module because it needs cgo and OpenBLAS
// (Debian: libopenblas-dev):
//
//	go run .
package main

import (
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
	"gonum.org/v1/gonum/blas"
	netlib "gonum.org/v1/netlib/blas/netlib"

	specified "tributary/shared/numeric/blas"
	"tributary/shared/numeric/isa"
)

func main() {
	set := flag.String("set", "", "instruction set; empty: the CPU's best")
	rounds := flag.Int("rounds", 9, "rounds per case")
	slice := flag.Duration("slice", 10*time.Millisecond, "time per round and implementation")
	only := flag.String("only", "", "squares, dense, deep, ragged or small; empty: all")
	all := flag.Bool("all", false, "every ragged shape, not one in eleven")
	flag.Parse()
	runtime.LockOSThread()
	s, err := isa.Choose(*set)
	if err != nil {
		fmt.Fprintln(os.Stderr, "openblas:", err)
		os.Exit(1)
	}
	b := bench{specified.Implementation{Set: s}, netlib.Implementation{}, *rounds, *slice}
	b.table(os.Stdout, cases(*only, *all))
}

// gemm is one shape: C [m, n] = op(A) [m, k] · op(B) [k, n].
type gemm struct {
	tA, tB  blas.Transpose
	m, n, k int
}

func cases(only string, all bool) []gemm {
	var out []gemm
	add := func(name string, m, n, k int) {
		for _, t := range [4][2]blas.Transpose{{blas.NoTrans, blas.NoTrans}, {blas.NoTrans, blas.Trans}, {blas.Trans, blas.NoTrans}, {blas.Trans, blas.Trans}} {
			if only == "" || only == name {
				out = append(out, gemm{t[0], t[1], m, n, k})
			}
		}
	}
	for _, n := range []int{128, 192, 256, 384, 512, 768, 1024} {
		add("squares", n, n, n)
	}
	for _, m := range []int{64, 256, 512} {
		for _, n := range []int{10, 128, 2048} {
			for _, k := range []int{256, 784, 2048} {
				add("dense", m, n, k)
			}
		}
	}
	for _, s := range [][3]int{{128, 784, 64}, {10, 128, 64}, {2048, 784, 64}, {256, 256, 64}} {
		add("deep", s[0], s[1], s[2])
	}
	ragged := []int{1, 3, 7, 10, 17, 31, 33, 63, 65, 100, 129}
	for i, m := range ragged {
		for j, n := range ragged {
			for l, k := range ragged {
				if all || (i+2*j+3*l)%len(ragged) == 0 {
					add("ragged", m, n, k)
				}
			}
		}
	}
	for _, s := range [][3]int{{1, 10, 64}, {8, 10, 64}, {64, 10, 64}, {32, 32, 64}, {10, 64, 32}, {65, 33, 17}, {100, 100, 100}, {1, 784, 128}, {128, 784, 10}} {
		add("small", s[0], s[1], s[2])
	}
	return out
}

type bench struct {
	own, other blas.Float32
	rounds     int
	slice      time.Duration
}

func (b bench) table(w io.Writer, cs []gemm) {
	fmt.Fprintf(w, "%-3s %5s %5s %5s %10s %10s %7s\n", "op", "m", "n", "k", "tributary", "OpenBLAS", "ratio")
	var ratios []float64
	for _, c := range cs {
		own, other, ratio := b.run(c)
		ratios = append(ratios, ratio)
		mark := ""
		if ratio < 0.9 {
			mark = " *"
		}
		fmt.Fprintf(w, "%c%c  %5d %5d %5d %10.1f %10.1f %7.2f%s\n", c.tA, c.tB, c.m, c.n, c.k, own, other, ratio, mark)
	}
	slices.Sort(ratios)
	log := 0.0
	for _, r := range ratios {
		log += math.Log(r)
	}
	n := len(ratios)
	fmt.Fprintf(w, "%d cases: ratio least %.2f, median %.2f, geometric mean %.2f\n", n, ratios[0], ratios[n/2], math.Exp(log/float64(n)))
}

// run returns the GFLOP/s of both libraries and their ratio, each the median of the
// rounds. Both run in every round, so that a ratio compares the same moment.
func (b bench) run(c gemm) (own, other, ratio float64) {
	x, y, z := numbers(c.m*c.k), numbers(c.k*c.n), make([]float32, c.m*c.n)
	lda, ldb := c.k, c.n
	if c.tA != blas.NoTrans {
		lda = c.m
	}
	if c.tB != blas.NoTrans {
		ldb = c.k
	}
	call := func(f blas.Float32) func() {
		return func() { f.Sgemm(c.tA, c.tB, c.m, c.n, c.k, 1, x, lda, y, ldb, 0, z, c.n) }
	}
	flop := 2 * float64(c.m) * float64(c.n) * float64(c.k)
	one, two := call(b.own), call(b.other)
	count := b.calibrate(one)
	var owns, others, ratios []float64
	for range b.rounds {
		own, other := elapsed(one, count), elapsed(two, count)
		owns, others, ratios = append(owns, flop/own), append(others, flop/other), append(ratios, other/own)
	}
	return median(owns), median(others), median(ratios)
}

// median returns the median of v, and sorts v.
func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// calibrate returns how many calls of f fill a slice.
func (b bench) calibrate(f func()) int {
	f()
	for n := 1; ; n *= 2 {
		if ns := elapsed(f, n) * float64(n); ns > float64(b.slice)/4 {
			return max(1, int(float64(n)*float64(b.slice)/ns))
		}
	}
}

// elapsed returns the nanoseconds of this thread's processor time per call. So the time
// that other programs take does not count.
func elapsed(f func(), n int) float64 {
	start := processor()
	for range n {
		f()
	}
	return float64(processor()-start) / float64(n)
}

func processor() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return t.Nano()
}

func numbers(n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(i*7919%1013)/1013 - 0.5
	}
	return v
}
