package sim

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/plan"
)

var (
	seeds = flag.Int("seeds", 200, "number of seeds that TestSeeds plays, from -first on")
	first = flag.Uint64("first", 1, "the first seed that TestSeeds plays")
	one   = flag.Uint64("seed", 0, "play this seed only, and tell its story")
)

// TestMain runs the worlds on one processor. If one message wakes several tasks of a
// worker at the same instant, they then go on in the order in which they waited. On
// several processors the order would be random, and no seed would decide it.
func TestMain(m *testing.M) {
	runtime.GOMAXPROCS(1)
	plan.Operations = []plan.Operation{novelty}
	m.Run()
}

// bubble plays a seed in a bubble of its own.
func bubble(t *testing.T, seed uint64, bug string, trace func(string)) (r result) {
	for _, p := range newSwarm(seed).jobs {
		for _, incarnation := range p.incarnations {
			refer(incarnation.template, p.id, newSwarm(seed).chunkLen)
		}
	}
	stuck := time.AfterFunc(2*time.Minute, func() {
		stacks := make([]byte, 1<<20)
		panic(fmt.Sprintf("seed %d makes no progress:\n%s", seed, stacks[:runtime.Stack(stacks, true)]))
	})
	defer stuck.Stop()
	synctest.Test(t, func(t *testing.T) { r = play(t, seed, bug, trace) })
	return r
}

func newSwarm(seed uint64) swarm {
	s := choose((&world{seed: seed}).random("swarm"))
	if seed%8 == 3 {
		s.happens = append(s.happens, refuseWrites)
	}
	s.tight = seed%8 == 5
	if s.mixed = seed%16 == 1; s.mixed {
		for _, p := range s.jobs[:1] {
			for i := range p.incarnations {
				p.incarnations[i].template += 3 * templates
			}
		}
	}
	if seed%4 == 2 { // lossy wires
		for _, p := range s.jobs {
			for i := range p.incarnations {
				p.incarnations[i].template += templates
			}
		}
	}
	if seed%8 == 4 {
		s.lengthen((&world{seed: seed}).random("long"))
	}
	return s
}

// how returns how to see a seed's story.
func how(seed uint64) string {
	return fmt.Sprintf("go test ./deployments/sim -v -run TestSeeds -seed %d", seed)
}

// each plays seeds on all cores and passes on the results one at a time, until done
// returns true.
func each(t *testing.T, seeds []uint64, bug string, done func(result) bool) {
	var next atomic.Int64
	var mu sync.Mutex
	var enough atomic.Bool
	t.Run("play", func(t *testing.T) {
		for core := range runtime.GOMAXPROCS(0) {
			t.Run(strconv.Itoa(core), func(t *testing.T) {
				t.Parallel()
				for {
					i := int(next.Add(1)) - 1
					if i >= len(seeds) || enough.Load() {
						return
					}
					r := bubble(t, seeds[i], bug, nil)
					mu.Lock()
					if done(r) {
						enough.Store(true)
					}
					mu.Unlock()
				}
			})
		}
	})
}

func TestSeeds(t *testing.T) {
	if *one != 0 {
		r := bubble(t, *one, "", func(line string) { fmt.Fprintln(os.Stderr, line) })
		require.Empty(t, r.broken)
		return
	}
	list := make([]uint64, *seeds)
	for i := range list {
		list[i] = *first + uint64(i)
	}
	seen, failed, passed := map[string]int{}, 0, time.Duration(0)
	began := time.Now()
	each(t, list, "", func(r result) bool {
		for branch, n := range r.seen {
			seen[branch] += n
		}
		passed += r.passed
		if r.broken != "" {
			failed++
			t.Errorf("seed %d: %s\n\t%s", r.seed, r.broken, how(r.seed))
		}
		return failed >= 10
	})
	took := time.Since(began)
	t.Logf("%d seeds in %v, %.0f a second; %v passed in their worlds", len(list), took.Round(time.Millisecond), float64(len(list))/took.Seconds(), passed.Round(time.Second))
	var lines []string
	for branch, n := range seen {
		lines = append(lines, fmt.Sprintf("%9d %s", n, branch))
	}
	slices.Sort(lines)
	t.Log("reached:\n" + strings.Join(lines, "\n"))
	if *seeds >= 1000 {
		for _, branch := range slices.Concat(branches, everything()) {
			require.Positive(t, seen[branch], "no seed has reached: %s", branch)
		}
	}
}

// The seeds that found a bug once stay here.
func TestRegressions(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "seeds"))
	require.NoError(t, err)
	var list []uint64
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			seed, err := strconv.ParseUint(line, 10, 64)
			require.NoError(t, err)
			list = append(list, seed)
		}
	}
	each(t, list, "", func(r result) bool {
		if r.broken != "" {
			t.Errorf("seed %d: %s\n\t%s", r.seed, r.broken, how(r.seed))
		}
		return false
	})
}

// Each seed is played twice, at the same time as others, and both stories must be the
// same.
func TestTheSameSeedIsTheSameStory(t *testing.T) {
	const twice = 40
	hashes := map[uint64]bool{}
	var mu sync.Mutex
	t.Run("play", func(t *testing.T) {
		for core := range uint64(runtime.GOMAXPROCS(0)) {
			t.Run(strconv.FormatUint(core, 10), func(t *testing.T) {
				t.Parallel()
				for i := core; i < twice; i += uint64(runtime.GOMAXPROCS(0)) {
					seed := *first + 1_000_000 + i
					var stories [2][]string
					var hash [2]uint64
					for j := range stories {
						hash[j] = bubble(t, seed, "", func(line string) { stories[j] = append(stories[j], line) }).hash
					}
					if hash[0] != hash[1] {
						t.Errorf("seed %d has two stories, which part here:\n%s\n\t%s", seed, parting(stories[0], stories[1]), how(seed))
					}
					mu.Lock()
					hashes[hash[0]] = true
					mu.Unlock()
				}
			})
		}
	})
	require.Len(t, hashes, twice, "another seed is another story")
}

// parting shows where two stories begin to differ.
func parting(a, b []string) string {
	a, b = events(a), events(b)
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			before := a[max(0, i-5):i]
			return strings.Join(slices.Concat(before, []string{"--- one"}, a[i:min(len(a), i+3)], []string{"--- other"}, b[i:min(len(b), i+3)]), "\n")
		}
	}
	return fmt.Sprintf("one has %d lines, the other %d", len(a), len(b))
}

// events removes the lines that the programs have logged, because they contain random run
// ids.
func events(story []string) []string {
	var lines []string
	for _, line := range story {
		if !strings.Contains(line, " | ") {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return lines
}

// Each deliberate bug is found within a given number of seeds.
func TestEveryDeliberateBugIsNoticed(t *testing.T) {
	const within = 100
	for _, bug := range bugs {
		t.Run(strings.ReplaceAll(bug, " ", "-"), func(t *testing.T) {
			var list []uint64
			for seed := range uint64(within) {
				list = append(list, 2_000_000+seed)
			}
			noticed := ""
			played := 0
			each(t, list, bug, func(r result) bool {
				played++
				if noticed == "" {
					noticed = r.broken
				}
				return noticed != ""
			})
			require.NotEmpty(t, noticed, "%d seeds did not notice that %s", played, bug)
			t.Logf("after %d seeds: %s", played, noticed)
		})
	}
}
