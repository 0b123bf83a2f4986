package fleet

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

func demand(name string, need int64) Demand {
	return Demand{Ref: job.Ref{Job: job.ID(name), Run: "r"}, Need: need}
}

func TestTheSmallestAreAdmittedFirst(t *testing.T) {
	for name, c := range map[string]struct {
		limit   int64
		demands []Demand
		want    []string
		free    int64
	}{
		"none":                           {100, nil, nil, 80},
		"all fit":                        {100, []Demand{demand("b", 50), demand("a", 30)}, []string{"a", "b"}, 0},
		"the largest waits":              {100, []Demand{demand("fat", 60), demand("a", 30)}, []string{"a"}, 50},
		"and all that are larger":        {100, []Demand{demand("c", 60), demand("a", 30), demand("b", 55)}, []string{"a"}, 50},
		"equal ones by name":             {100, []Demand{demand("b", 50), demand("a", 50)}, []string{"a"}, 30},
		"alone it is too large":          {100, []Demand{demand("a", 81)}, nil, 80},
		"forged needs take nothing away": {100, []Demand{demand("a", -1<<62), demand("b", 1<<62), demand("c", 80)}, []string{"a", "c"}, 0},
	} {
		var got []string
		admitted, free := Admit(c.limit, c.demands)
		for _, d := range admitted {
			got = append(got, string(d.Ref.Job))
		}
		require.Equal(t, c.want, got, name)
		require.Equal(t, c.free, free, name)
	}
}

// Coordinators may receive jobs in different orders.
func TestAdmissionDependsOnNoOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		var demands []Demand
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			demands = append(demands, demand(name, r.Int64N(50)))
		}
		want, _ := Admit(100, demands)
		want = slices.Clone(want)
		r.Shuffle(len(demands), func(i, j int) { demands[i], demands[j] = demands[j], demands[i] })
		got, free := Admit(100, demands)
		require.Equal(t, want, got)
		require.GreaterOrEqual(t, free, int64(0))
	}
}
