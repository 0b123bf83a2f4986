package predict

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/lifecycle"
	"tributary/shared/model"
	"tributary/shared/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// store is a registry in memory. It counts reads, and tests can make it wait or fail.
type store struct {
	mu       sync.Mutex
	aliases  map[string]job.ID
	files    map[job.ID]map[string][]byte
	resolved int
	read     int
	hold     chan struct{} // when set, ReadFile waits for it
	fail     error
	broken   bool // ReadFile panics after it has read
}

func (s *store) Find(_ context.Context, name string) (Found, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resolved++
	if _, ok := s.files[job.ID(name)]; ok {
		return s.found(job.ID(name)), nil
	}
	if id, ok := s.aliases[name]; ok {
		return s.found(id), nil
	}
	return Found{}, fmt.Errorf("key %s: %w", name, job.ErrNotFound)
}

// found returns the identity of an id's model. A model with another slope has other
// weights, and so another version.
func (s *store) found(id job.ID) Found {
	return Found{id, string(blob.DigestOf(s.files[id][registry.WeightsFile]))}
}

func (s *store) ReadFile(_ context.Context, model job.ID, name string, read func(io.Reader, int64) error) error {
	if s.hold != nil {
		<-s.hold
	}
	s.mu.Lock()
	s.read++
	data, ok := s.files[model][name]
	fail := s.fail
	s.mu.Unlock()
	switch {
	case fail != nil:
		return fail
	case !ok:
		return job.ErrNotFound
	}
	err := read(bytes.NewReader(data), int64(len(data)))
	if s.broken && name == registry.WeightsFile {
		panic("a bug")
	}
	return err
}

// put stores the model y = slope·x, and returns its size in memory.
func (s *store) put(t *testing.T, id job.ID, slope float32) (size int64) {
	t.Helper()
	return s.putColumn(t, id, slope, dataset.Column{Name: "x", Kind: dataset.Numeric, Scale: 1})
}

func (s *store) putColumn(t *testing.T, id job.ID, slope float32, column dataset.Column) (size int64) {
	t.Helper()
	m, err := registry.New(registry.Card{
		ID:            id,
		Spec:          job.Spec{Loss: job.MSE, Model: job.Model{Layers: []job.Layer{{Dense: &job.Dense{Units: 1, Activation: job.NoActivation}}}}},
		Preprocessing: &dataset.Preprocessing{Columns: []dataset.Column{column}, Label: column},
	}, model.Weights{Trained: []float32{slope, 0}})
	require.NoError(t, err)
	files, err := registry.Encode(m)
	require.NoError(t, err)
	if s.files == nil {
		s.files = map[job.ID]map[string][]byte{}
	}
	s.files[id] = files
	m, err = registry.Decode(files)
	require.NoError(t, err)
	return m.Bytes()
}

// An answer notes what the model did not know, unless only an answer without notes is
// short enough.
func TestAnswersHaveNotes(t *testing.T) {
	s := &store{}
	s.putColumn(t, "line-1", 2, dataset.Column{Name: "x", Kind: dataset.Numeric, Scale: 1, Fill: new(0.5)})
	request := []byte(`{"rows":[[1],[null],["NA"]]}`)
	got, err := New(Config{Models: s}).Handle(t.Context(), "line-1", request)
	require.NoError(t, err)
	require.JSONEq(t, `{"model":"line-1","predictions":[2,1,1],
		"notes":["column \"x\": missing (in 2 rows, first in row 1): filled with 0.5, as in training"]}`, string(got))

	short := `{"model":"line-1","predictions":[2,1,1]}`
	got, err = New(Config{Models: s, MaxReply: len(short)}).Handle(t.Context(), "line-1", request)
	require.NoError(t, err)
	require.JSONEq(t, short, string(got))
	_, err = New(Config{Models: s, MaxReply: len(short) - 1}).Handle(t.Context(), "line-1", request)
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "the answer for 3 rows is over")
}

func TestHandle(t *testing.T) {
	s := &store{aliases: map[string]job.ID{"line": "line-1"}}
	s.put(t, "line-1", 2)
	service := New(Config{Models: s})
	for _, name := range []string{"line", "line-1"} {
		got, err := service.Handle(t.Context(), name, []byte(`{"rows":[[1],{"x":2.5},3]}`))
		require.NoError(t, err)
		require.JSONEq(t, `{"model":"line-1","predictions":[2,5,6]}`, string(got))
	}
	require.Equal(t, len(registry.FileNames), s.read, "the model is read once")
}

func TestHandleRefuses(t *testing.T) {
	s := &store{}
	s.put(t, "line-1", 2)
	service := New(Config{Models: s, MaxRows: 3, MaxRequest: 100, MaxReply: 60})
	for _, c := range []struct {
		name, payload string
		class         error
		want          string
	}{
		{"nope", `{"rows":[[1]]}`, job.ErrNotFound, `there is no model "nope": not found`},
		{"", `{"rows":[[1]]}`, job.ErrNotFound, `there is no model ""`},
		{string(bytes.Repeat([]byte("x"), 300)), `{"rows":[[1]]}`, job.ErrNotFound, "there is no model"},
		{"line-1", ``, job.ErrInvalid, `request is empty: want {"rows":[[…], …]}`},
		{"line-1", `{"rows"`, job.ErrInvalid, "request: jsontext: unexpected EOF"},
		{"line-1", `{"row":[[1]]}`, job.ErrInvalid, `unknown field "row"`},
		{"line-1", `[[1]]`, job.ErrInvalid, `request: it begins with [`},
		{"line-1", `{"rows":[[1]]} {}`, job.ErrInvalid, "text follows the request's JSON object"},
		{"line-1", `{"rows":[]}`, job.ErrInvalid, "rows: 0: want 1 to 3"},
		{"line-1", `{"rows":[1,2,3,4]}`, job.ErrInvalid, "rows: more than 3: want 1 to 3"},
		{"line-1", `{"rows":[[1],[1,2]]}`, job.ErrInvalid, "row 1: row of 2 values: the model takes 1"},
		{"line-1", `{"rows":[["text"]]}`, job.ErrInvalid, `row 0: column "x": text "text" in a numeric column`},
		{"line-1", `{"rows":[1.2345678,2.2345678,3.2345678]}`, job.ErrInvalid, "the answer for 3 rows is over 60 bytes"},
		{"line-1", `{"rows":[` + string(bytes.Repeat([]byte("1,"), 60)) + `1]}`, job.ErrInvalid, "at most 100 are read"},
	} {
		_, err := service.Handle(t.Context(), c.name, []byte(c.payload))
		require.ErrorIs(t, err, c.class, c.payload)
		require.ErrorContains(t, err, c.want)
	}
	tiny := New(Config{Models: s, MaxReply: 3})
	_, err := tiny.Handle(t.Context(), "line-1", []byte(`{"rows":[1,2]}`))
	require.ErrorContains(t, err, "the answer for 2 rows is over 3 bytes")
}

func TestAliasMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{aliases: map[string]job.ID{"line": "line-1"}}
		s.put(t, "line-1", 1)
		s.put(t, "line-2", 2)
		service := New(Config{Models: s})
		ask := func() string {
			got, err := service.Handle(t.Context(), "line", []byte(`{"rows":[1]}`))
			require.NoError(t, err)
			return string(got)
		}
		require.Contains(t, ask(), `"line-1"`)
		s.aliases["line"] = "line-2"
		require.Contains(t, ask(), `"line-1"`)
		require.Equal(t, 1, s.resolved)
		timer := time.NewTimer(aliasFor)
		<-timer.C
		require.Contains(t, ask(), `"line-2"`)
		require.Equal(t, 2, s.resolved)
	})
}

func TestCacheStaysWithinItsBytes(t *testing.T) {
	s := &store{}
	size := s.put(t, "m-1", 1)
	s.put(t, "m-2", 2)
	s.put(t, "m-3", 3)
	service := New(Config{Models: s, CacheBytes: 2 * size})
	ask := func(name string) {
		_, err := service.Handle(t.Context(), name, []byte(`{"rows":[1]}`))
		require.NoError(t, err)
		require.LessOrEqual(t, service.cache.bytes, 2*size)
	}
	reads := func(name string, want int) {
		before := s.read
		ask(name)
		require.Equal(t, want*len(registry.FileNames), s.read-before, name)
	}
	reads("m-1", 1)
	reads("m-2", 1)
	reads("m-1", 0)
	reads("m-3", 1) // m-2 is dropped: m-1 was used after it
	reads("m-1", 0)
	reads("m-2", 1)

	small := New(Config{Models: s, CacheBytes: size - 1})
	_, err := small.Handle(t.Context(), "m-1", []byte(`{"rows":[1]}`))
	require.ErrorIs(t, err, job.ErrFull)
	require.Zero(t, small.cache.bytes)
}

func TestOneReadForManyRequests(t *testing.T) {
	s := &store{hold: make(chan struct{})}
	s.put(t, "m-1", 1)
	service := New(Config{Models: s})
	var all sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		all.Go(func() { _, errs[i] = service.Handle(t.Context(), "m-1", []byte(`{"rows":[1]}`)) })
	}
	close(s.hold)
	all.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, len(registry.FileNames), s.read)
}

// A failure is reported and not cached. A caller that leaves does not stop the read for
// the others.
func TestFailuresAreNotCached(t *testing.T) {
	s := &store{fail: errors.New("no route")}
	s.put(t, "m-1", 1)
	service := New(Config{Models: s})
	_, err := service.Handle(t.Context(), "m-1", []byte(`{"rows":[1]}`))
	require.ErrorContains(t, err, `model "m-1": model.json: no route`)
	s.fail = nil

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = service.Handle(ctx, "m-1", []byte(`{"rows":[1]}`))
	require.ErrorIs(t, err, context.Canceled)
	read := s.read
	_, err = service.Handle(t.Context(), "m-1", []byte(`{"rows":[1]}`))
	require.NoError(t, err)
	require.Equal(t, read, s.read)

	s.files["m-2"] = map[string][]byte{registry.CardFile: s.files["m-1"][registry.CardFile]}
	_, err = service.Handle(t.Context(), "m-2", []byte(`{"rows":[1]}`))
	require.ErrorIs(t, err, job.ErrNotFound)
	s.files["m-2"][registry.WeightsFile] = []byte("garbage!")
	_, err = service.Handle(t.Context(), "m-2", []byte(`{"rows":[1]}`))
	require.Error(t, err)
	require.NotErrorIs(t, err, job.ErrNotFound)
}

// A panic while a model is read fails the calls that wait for it, and is reported as poison.
func TestAPanicWhileAModelIsRead(t *testing.T) {
	s := &store{hold: make(chan struct{})}
	size := s.put(t, "m-1", 1)
	service := New(Config{Models: s, CacheBytes: size})
	s.broken = true
	var all sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		all.Go(func() { _, errs[i] = service.Handle(t.Context(), "m-1", []byte(`{"rows":[1]}`)) })
	}
	close(s.hold)
	all.Wait()
	for _, err := range errs {
		p, ok := errors.AsType[*lifecycle.PanicError](err)
		require.True(t, ok, "%v", err)
		require.Contains(t, string(p.Stack), "ReadFile")
	}
	s.broken = false
	_, err := service.Handle(t.Context(), "m-1", []byte(`{"rows":[1]}`))
	require.NoError(t, err, "the room that was reserved is free again")
}

// Models that are slow to read must not occupy all handlers of the service.
func TestFewRequestsWaitForModels(t *testing.T) {
	s := &store{hold: make(chan struct{})}
	s.put(t, "m-1", 1)
	s.put(t, "m-2", 1)
	service := New(Config{Models: s})
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		s.hold = hold
		var all sync.WaitGroup
		for range maxCallers {
			all.Go(func() {
				_, err := service.Handle(t.Context(), "m-1", []byte(`{"rows":[1]}`))
				require.NoError(t, err)
			})
		}
		synctest.Wait()
		_, err := service.Handle(t.Context(), "m-2", []byte(`{"rows":[1]}`))
		require.ErrorIs(t, err, job.ErrFull)
		require.ErrorContains(t, err, "32 requests are waiting for models to be read")
		close(hold)
		all.Wait()
	})
	_, err := service.Handle(t.Context(), "m-1", []byte(`{"rows":[1]}`))
	require.NoError(t, err, "what has been read needs no hand")
}

// The service makes room before it reads a model, and models that are being read wait for
// each other's memory.
func TestModelsBeingReadCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		size := s.put(t, "m-1", 1)
		s.put(t, "m-2", 2)
		s.put(t, "m-3", 3)
		c := New(Config{Models: s, CacheBytes: 2 * size}).cache
		for _, id := range []string{"m-1", "m-2"} {
			_, err := c.get(t.Context(), id)
			require.NoError(t, err)
		}
		require.NoError(t, c.reserve(t.Context(), size+1))
		require.Zero(t, c.byID.Len(), "two models have left for one that is read")
		var all sync.WaitGroup
		all.Go(func() {
			_, err := c.get(t.Context(), "m-3")
			require.NoError(t, err)
		})
		synctest.Wait()
		require.Zero(t, c.byID.Len(), "the third waits")
		c.finish(Found{ID: "m-0"}, nil, size+1)
		all.Wait()
		require.Equal(t, size, c.bytes)
		require.Zero(t, c.reading)
	})
}

// An id that is used again, and a name that is also another model's id, stand for the
// right model.
func TestAnIDMeansItsOwnModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{aliases: map[string]job.ID{"line": "line-1"}}
		s.put(t, "line-1", 2)
		service := New(Config{Models: s})
		says := func(name, want string) {
			t.Helper()
			<-time.After(aliasFor)
			got, err := service.Handle(t.Context(), name, []byte(`{"rows":[[1]]}`))
			if want == "" {
				require.ErrorIs(t, err, job.ErrNotFound)
				return
			}
			require.NoError(t, err)
			require.JSONEq(t, want, string(got))
		}
		says("line", `{"model":"line-1","predictions":[2]}`)
		s.put(t, "line", 3)
		says("line", `{"model":"line","predictions":[3]}`)
		delete(s.files, "line")
		says("line", `{"model":"line-1","predictions":[2]}`)
		s.put(t, "line-1", 5)
		says("line-1", `{"model":"line-1","predictions":[5]}`)
		delete(s.files, "line-1")
		says("line-1", "")
	})
}

// A name that no model can have costs no look-up.
func TestNamesOfModels(t *testing.T) {
	s := &store{}
	service := New(Config{Models: s})
	for _, name := range []string{"", "..", "@alias", "a/b", "UPPER", "*", ">", "a.b", string(bytes.Repeat([]byte("x"), 65)), "\xff"} {
		_, err := service.Handle(t.Context(), name, []byte(`{"rows":[1]}`))
		require.ErrorIs(t, err, job.ErrNotFound, "%q", name)
	}
	require.Zero(t, s.resolved)
}

func FuzzHandle(f *testing.F) {
	f.Add([]byte(`{"rows":[[1],{"x":null},"3"]}`))
	f.Add([]byte(`{"rows":[[1e999]]}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		s := &store{}
		s.put(t, "m-1", 2)
		_, err := New(Config{Models: s}).Handle(t.Context(), "m-1", payload)
		if err != nil {
			require.ErrorIs(t, err, job.ErrInvalid)
		}
	})
}
