package predict

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/registry"
)

// heard keeps what a service reports.
type heard struct {
	rows, unseen, outside int64
	psi                   []float64
	gone                  []job.ID
}

func (h *heard) Rows(_ job.ID, rows, unseen, outside int64) {
	h.rows, h.unseen, h.outside = h.rows+rows, h.unseen+unseen, h.outside+outside
}
func (h *heard) PSI(_ job.ID, largest float64) { h.psi = append(h.psi, largest) }
func (h *heard) Gone(id job.ID)                { h.gone = append(h.gone, id) }

func TestDriftOfTheProcess(t *testing.T) {
	s := &store{files: map[job.ID]map[string][]byte{}}
	s.putColumn(t, "m", 2, dataset.Column{Name: "x", Kind: dataset.Numeric, Scale: 1})
	m, err := registry.Decode(s.files["m"])
	require.NoError(t, err)
	require.NoError(t, m.Describe([]byte(`{"version":1,"rows":20,"columns":[{"name":"x","min":0,"max":10,"edges":[5],"counts":[10,10]}]}`)))
	s.files["m"], err = registry.Encode(m)
	require.NoError(t, err)
	s.put(t, "plain", 3)

	h := &heard{}
	service := New(Config{Models: s, Drift: h})
	rows := strings.TrimSuffix(strings.Repeat("[1],[11],", 50), ",")
	plain, err := service.Handle(t.Context(), "m", fmt.Appendf(nil, `{"rows":[%s]}`, rows))
	require.NoError(t, err)
	require.NotContains(t, string(plain), "drift")
	require.Equal(t, []int64{100, 0, 50}, []int64{h.rows, h.unseen, h.outside})
	require.Empty(t, h.psi)
	var answer registry.Prediction
	for range 2 {
		data, err := service.Handle(t.Context(), "m", fmt.Appendf(nil, `{"drift":true,"rows":[%s]}`, rows))
		require.NoError(t, err)
		answer = registry.Prediction{}
		require.NoError(t, json.Unmarshal(data, &answer))
	}
	require.EqualValues(t, 100, answer.Drift.Rows)
	require.EqualValues(t, 300, answer.SoFar.Rows)
	require.EqualValues(t, 150, answer.SoFar.Columns[0].OutOfRange)
	require.Equal(t, []int64{300, 0, 150}, []int64{h.rows, h.unseen, h.outside})
	require.Len(t, h.psi, 1, "after 256 rows")
	_, err = service.Handle(t.Context(), "plain", []byte(`{"drift":true,"rows":[[1]]}`))
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "no description of its training rows")
}
