package dataset_test

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

func TestAManifestOfFields(t *testing.T) {
	b, err := dataset.NewBlock(text(8, 4), 3)
	require.NoError(t, err)
	good := func() *dataset.Manifest {
		ref := dataset.BlockRef{Digest: job.Digest(strings.Repeat("a", 64)), Rows: 3, Bytes: len(dataset.Encode(b))}
		return &dataset.Manifest{
			Version: dataset.FieldsVersion, Fields: text(8, 4),
			Splits: map[job.Split][]dataset.BlockRef{job.Train: {ref, ref}},
		}
	}
	require.NoError(t, good().Validate())
	require.Equal(t, 6, good().Rows(job.Train))
	data, err := json.Marshal(good())
	require.NoError(t, err)
	var back dataset.Manifest
	require.NoError(t, json.Unmarshal(data, &back))
	require.NoError(t, back.Validate())
	require.True(t, good().Schema().Equal(back.Schema()))
	require.True(t, dataset.Table(3, 2).Equal((&dataset.Manifest{Features: 3, Targets: 2}).Schema()))

	named := good()
	named.Classes = []string{"a", "b"}
	require.NoError(t, named.Validate())
	for want, change := range map[string]func(m *dataset.Manifest){
		"version 1: want 2":       func(m *dataset.Manifest) { m.Version = 1 },
		`field "y": dtype "text"`: func(m *dataset.Manifest) { m.Fields[1].DType = "text" },
		"1 features, 0 targets":   func(m *dataset.Manifest) { m.Features = 1 },
		"0 features, 1 targets":   func(m *dataset.Manifest) { m.Targets = 1 },
		"preprocessing true":      func(m *dataset.Manifest) { m.Preprocessing = sample() },
		"0 of 2 are targets":      func(m *dataset.Manifest) { m.Fields[1].Target = false },
		"2 of 2 are targets":      func(m *dataset.Manifest) { m.Fields[0].Target = true },
		"1 classes: want 2":       func(m *dataset.Manifest) { m.Classes = []string{"a"} },
		"2 classes with 1 targets, 0 of": func(m *dataset.Manifest) {
			m.Classes = []string{"a", "b"}
			m.Fields[0].DType, m.Fields[1].DType = dataset.Float32, dataset.Float32
		},
		"splits.train[1]: 391 bytes for 3 rows: want 392": func(m *dataset.Manifest) { m.Splits[job.Train][1].Bytes-- },
		"splits.train[0]: 393 bytes for 3 rows: want 392": func(m *dataset.Manifest) { m.Splits[job.Train][0].Bytes++ },
		"bytes for 30 rows": func(m *dataset.Manifest) { m.Splits[job.Train][1].Rows = 30 },
	} {
		m := good()
		m.Splits[job.Train] = slices.Clone(m.Splits[job.Train])
		change(m)
		err := m.Validate()
		require.ErrorIs(t, err, job.ErrInvalid, want)
		require.ErrorContains(t, err, want)
	}
}

// A float table may have weights of its rows, and the training rows of its classes.
func TestAManifestWithWeights(t *testing.T) {
	good := func() *dataset.Manifest {
		p := sample()
		p.Label = dataset.Column{Name: "y", Kind: dataset.Categorical, Scale: 1}
		ref := dataset.BlockRef{Digest: job.Digest(strings.Repeat("a", 64)), Rows: 5, Bytes: 4*5*(p.Features()+2) + 1}
		return &dataset.Manifest{
			Version: 1, Features: p.Features(), Targets: 2, Classes: []string{"a", "b"}, Preprocessing: p,
			Splits: map[job.Split][]dataset.BlockRef{job.Train: {ref}},
			Weight: &dataset.Weight{Name: "w", Greatest: 2}, ClassRows: []int64{2, 3},
		}
	}
	require.NoError(t, good().Validate())
	for want, change := range map[string]func(m *dataset.Manifest){
		`weight "" up to 2`:             func(m *dataset.Manifest) { m.Weight.Name = "" },
		`weight "w" up to 0`:            func(m *dataset.Manifest) { m.Weight.Greatest = 0 },
		`weight "w" up to NaN`:          func(m *dataset.Manifest) { m.Weight.Greatest = math.NaN() },
		`weight "w" up to 2, 1 targets`: func(m *dataset.Manifest) { m.Targets = 1 },
		"2 classes with 2 targets":      func(m *dataset.Manifest) { m.Weight = nil },
		"class_rows: 1 numbers for 2":   func(m *dataset.Manifest) { m.ClassRows = []int64{5} },
		"class_rows: 2 numbers for 2":   func(m *dataset.Manifest) { m.ClassRows = []int64{5, 0} },
		"classes, of 5 training rows":   func(m *dataset.Manifest) { m.ClassRows = []int64{2, 2} },
		"class_rows: 3 numbers for 2":   func(m *dataset.Manifest) { m.ClassRows = []int64{2, 2, 1} },
	} {
		m := good()
		change(m)
		err := m.Validate()
		require.ErrorIs(t, err, job.ErrInvalid, want)
		require.ErrorContains(t, err, want)
	}
}

// The number of rows is limited, and so is the number of terms: a sum of terms is exact.
func TestTheTermsOfASplitAreBounded(t *testing.T) {
	for length, fits := range map[int]bool{1 << 22: true, 1<<22 + 1<<21: false} {
		s := dataset.Schema{
			{Name: "x", DType: dataset.Uint8, Shape: []int{length}, Window: dataset.Window{Of: "pixels", Stride: 1}},
			{Name: "y", DType: dataset.Uint8, Shape: []int{length}, Target: true, Window: dataset.Window{Of: "pixels", Stride: 1}},
		}
		one, err := dataset.NewBlock(s, 1)
		require.NoError(t, err)
		ref := dataset.BlockRef{Digest: job.Digest(strings.Repeat("a", 64)), Rows: 1 << 30}
		ref.Bytes = len(dataset.Encode(one)) + ref.Rows // 1 byte per further row, and 1 of padding; one row has none
		second := ref
		second.Rows, second.Bytes = ref.Rows-1, ref.Bytes
		m := dataset.Manifest{Version: dataset.FieldsVersion, Fields: s, Splits: map[job.Split][]dataset.BlockRef{job.Train: {ref, second}}}
		require.Equal(t, math.MaxInt32, m.Rows(job.Train))
		err = m.Validate()
		if fits {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, job.ErrInvalid)
		require.ErrorContains(t, err, `splits.train: 2147483647 rows of up to 6291456 terms of field "y": want at most 9007199254740992 terms`)
	}
}
