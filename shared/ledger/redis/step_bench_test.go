package redis

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/ledger"
	"tributary/shared/ledger/ledgertest"
	"tributary/shared/ledger/redis/redistest"
	"tributary/shared/numeric"
	"tributary/shared/tree"
)

// worker is one of two workers that compute the steps of a job together.
type worker struct {
	*Ledger
	lay     ledger.Layout
	node    tree.Node
	partial ledger.Partial
	root    ledger.Partial
	mine    []int // chunks of the step's root that this worker has appended
	others  []int // chunks that the other worker has appended
	chain   ledger.Chain
}

// put stores the worker's partial, reduces the chunks that it completes, and appends them.
func (w *worker) put(b *testing.B, step int64) {
	ctx := b.Context()
	arrivals, err := w.Put(ctx, w.lay, step, w.node, w.partial)
	require.NoError(b, err)
	var sums ledger.Sums
	var read []int
	w.mine, w.others = w.mine[:0], w.others[:0]
	for c, a := range arrivals {
		switch {
		case a.Cover == nil:
			w.others = append(w.others, c)
			continue
		case a.Values == nil:
			read = append(read, c)
		default:
			lo, _ := w.lay.Chunk(c)
			other := a.Values[slices.Index(a.Cover, w.node.Sibling())]
			copy(w.root.Gradient[lo:], other.Gradient)
			sums = other.Sums
		}
		w.mine = append(w.mine, c)
	}
	if len(w.mine) == 0 {
		return
	}
	if len(read) > 0 {
		sums, err = w.Partial(ctx, w.lay, ledger.PartialRead{Step: step, Node: w.node.Sibling(), Chunks: read, Dst: w.root.Gradient})
		require.NoError(b, err)
	}
	for _, c := range w.mine {
		lo, hi := w.lay.Chunk(c)
		numeric.Add(w.root.Gradient[lo:hi], w.root.Gradient[lo:hi], w.partial.Gradient[lo:hi])
	}
	_, w.chain, err = w.Append(ctx, w.lay, ledger.LogWrite{Step: step, Chunks: w.mine, Root: ledger.Partial{Gradient: w.root.Gradient, Sums: w.partial.Sums.Add(sums)}, Before: w.chain})
	require.NoError(b, err)
}

// read reads the chunks of the root that the other worker has appended.
func (w *worker) read(b *testing.B, step int64) {
	if len(w.others) == 0 {
		return
	}
	var err error
	_, w.chain, err = w.Root(b.Context(), w.lay, ledger.LogRead{Step: step, Chunks: w.others, Dst: w.root.Gradient, Before: w.chain})
	require.NoError(b, err)
}

// BenchmarkTwoWorkers measures the ledger's part of a step of two workers that begin at the
// same time. Each puts a partial, reduces and appends what it completes, and reads the
// root. It also reports the bytes through the server and the server's processor time.
func BenchmarkTwoWorkers(b *testing.B) {
	for _, params := range []int{10, 2_410, 7_850, 235_146, 5_824_522} {
		b.Run(fmt.Sprintf("params=%d", params), func(b *testing.B) {
			s := redistest.Start(b)
			if s == nil {
				return
			}
			workers := make([]*worker, 2)
			for i := range workers {
				lay := ledgertest.Layout(params, 64<<10, 2)
				if i > 0 {
					lay = workers[0].lay
				}
				node := tree.Node(2 + i)
				workers[i] = &worker{
					Ledger: open(b, s.URL), lay: lay, node: node, partial: ledgertest.Partial(lay, 0, node),
					root: ledger.Partial{Gradient: make([]float32, params)}, chain: lay.Genesis(),
				}
			}
			both := func(do func(*worker)) {
				var group sync.WaitGroup
				group.Go(func() { do(workers[0]) })
				do(workers[1])
				group.Wait()
			}
			b.ReportAllocs()
			var step int64
			before := usage(b, workers[0].Ledger)
			for b.Loop() {
				both(func(w *worker) { w.put(b, step) })
				both(func(w *worker) { w.read(b, step) })
				if step++; step%16 == 0 {
					b.StopTimer()
					l := workers[0]
					require.NoError(b, l.PutSnapshot(b.Context(), l.lay, ledger.Snapshot{Step: step, Vectors: [][]float32{l.root.Gradient[:params]}, Chain: l.chain}))
					b.StartTimer()
				}
			}
			for name, after := range usage(b, workers[0].Ledger) {
				b.ReportMetric((after-before[name])/float64(step), name+"/op")
			}
		})
	}
}

// usage returns the bytes that the server has transferred, and its processor time in
// microseconds. They include snapshots, one in 16 steps.
func usage(b *testing.B, l *Ledger) map[string]float64 {
	number := func(section, name string) float64 {
		x, err := strconv.ParseFloat(info(b.Context(), l.control, section)[name], 64)
		require.NoError(b, err)
		return x
	}
	return map[string]float64{
		"in-B":         number("stats", "total_net_input_bytes"),
		"out-B":        number("stats", "total_net_output_bytes"),
		"redis-cpu-µs": 1e6 * (number("cpu", "used_cpu_user") + number("cpu", "used_cpu_sys")),
	}
}
