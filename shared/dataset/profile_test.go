package dataset

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

func TestProfilesAreChecked(t *testing.T) {
	of := &Preprocessing{Columns: []Column{{Name: "x", Kind: Numeric, Scale: 1}, {Name: "c", Kind: Categorical, Categories: []string{"a", "b"}}}}
	good := `{"version":1,"rows":9,"columns":[{"name":"x","missing":1,"min":0,"max":4,"edges":[1,2],"counts":[3,3,2]},{"name":"c","counts":[4,5]}]}`
	p, err := DecodeProfile([]byte(good), of)
	require.NoError(t, err)
	again, err := p.Encode()
	require.NoError(t, err)
	require.JSONEq(t, good, string(again))
	for from, to := range map[string]string{
		`"version":1`: `"version":2`, `"rows":9`: `"rows":0`, `"name":"x"`: `"name":"y"`, `"missing":1`: `"missing":-1`, `"missing":1,`: `"missing":10,`,
		`[3,3,2]`: `[3,3]`, `[4,5]`: `[4,-5]`, `[1,2]`: `[2,1]`, `"min":0,`: ``, `"max":4`: `"max":-4`, `{"name":"c","counts":[4,5]}`: `{"name":"c","counts":[4,5,6]}`,
		`},{"name":"c","counts":[4,5]}`: `}`, `]}`: `]`,
	} {
		require.Contains(t, good, from)
		_, err := DecodeProfile([]byte(strings.Replace(good, from, to, 1)), of)
		require.ErrorIs(t, err, job.ErrInvalid, "%s → %s", from, to)
	}
}

func TestWhereValuesStand(t *testing.T) {
	low, high := 1.0, 3.0
	x := &ColumnProfile{Min: &low, Max: &high, Edges: []float64{2}}
	c := &ColumnProfile{Counts: []int64{1, 2}}
	number, category := &Column{Kind: Numeric, Scale: 1}, &Column{Kind: Categorical, Categories: []string{"a", "b"}}
	for _, k := range []struct {
		p        *ColumnProfile
		of       *Column
		v        Value
		bin      int
		standing Standing
	}{
		{x, number, Number(1), 0, Known},
		{x, number, Text("2"), 1, Known},
		{x, number, Number(3.5), 1, OutOfRange},
		{x, number, Number(0), 0, OutOfRange},
		{x, number, Value{}, 0, Absent},
		{x, number, Text("no number"), 0, Absent},
		{&ColumnProfile{}, number, Number(0), 0, OutOfRange},
		{c, category, Text("b"), 1, Known},
		{c, category, Text("z"), 0, Unseen},
		{c, category, Value{}, 0, Absent},
	} {
		bin, standing := k.p.Stand(k.of, k.v)
		require.Equal(t, k.standing, standing, "%v", k.v)
		require.Equal(t, k.bin, bin, "%v", k.v)
	}
}

func FuzzProfile(f *testing.F) {
	of := &Preprocessing{Columns: []Column{{Name: "x", Kind: Numeric, Scale: 1}}}
	f.Add([]byte(`{"version":1,"rows":9,"columns":[{"name":"x","min":0,"max":4,"edges":[1,2],"counts":[3,3,2]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := DecodeProfile(data, of)
		if err != nil {
			return
		}
		if _, err := json.Marshal(p); err != nil {
			t.Fatal(err)
		}
		p.Columns[0].Stand(&of.Columns[0], Number(1))
	})
}
