package dataset_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

// embedded is sample with text columns that are embedded.
func embedded() *dataset.Preprocessing {
	p := sample()
	p.Columns[0], p.Columns[2] = p.Columns[2], p.Columns[0] // an embedded column comes first
	p.Columns[0].Embed, p.Columns[3].Embed = 8, 8
	return p
}

// The numbers of categories come after all other features. Those of a column follow those
// of the columns before it.
func TestEmbeddedCategoriesComeLast(t *testing.T) {
	p := embedded()
	require.NoError(t, p.Validate())
	require.Equal(t, dataset.Embedding{Columns: 2, Rows: 4, Units: 8}, p.Embedding())
	require.Equal(t, []int{4, 2}, []int{p.Features(), p.Numbers()})
	var notes dataset.Notes
	for want, row := range map[[4]float32][]dataset.Value{
		{1, 2, 2, 3}:   {dataset.Text("red"), dataset.Number(1), dataset.Number(14), dataset.Text("x")},
		{3, 0, 0, 3}:   {dataset.Number(2), {}, dataset.Number(10), {}},
		{0, 0, -1, -1}: {dataset.Text("blue"), dataset.Number(0), dataset.Number(10), dataset.Text("y")},
	} {
		dst := []float32{9, 9, 9, 9}
		require.NoError(t, p.Apply(dst, row, &notes))
		require.Equal(t, want[:], dst)
		numbers, categories := p.Embedding().Split(dst, []int32{7})
		require.Equal(t, want[:2], numbers)
		require.Equal(t, []int32{7, int32(want[2]), int32(want[3])}, categories)
	}
	require.Contains(t, notes.List(), `column "c": the model knows no category "blue" (in  0): it was taken as none`)
}

func TestEmbeddingsAreChecked(t *testing.T) {
	for want, change := range map[string]func(*dataset.Preprocessing){
		"columns[1]: embed 8 of a column of kind \"numeric\"":          func(p *dataset.Preprocessing) { p.Columns[1].Embed = 8 },
		"columns[0]: embed 8: want 1 to 1024, the same in all columns": func(p *dataset.Preprocessing) { p.Columns[3].Embed = 4 },
		"columns[3]: embed -1: want 1 to 1024":                         func(p *dataset.Preprocessing) { p.Columns[3].Embed = -1 },
		"columns[0]: embed 2000: want 1 to 1024, the same":             func(p *dataset.Preprocessing) { p.Columns[0].Embed, p.Columns[3].Embed = 2000, 2000 },
		"label: embed 3: want none":                                    func(p *dataset.Preprocessing) { p.Label.Embed = 3 },
		"columns: 0 categories to embed: want 1 to 16777216: invalid": func(p *dataset.Preprocessing) {
			p.Columns[0].Categories, p.Columns[3].Categories = nil, nil
		},
	} {
		p := embedded()
		change(p)
		err := p.Validate()
		require.ErrorIs(t, err, job.ErrInvalid)
		require.ErrorContains(t, err, want)
	}
}
