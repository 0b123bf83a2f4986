package report

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/bits"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"pgregory.net/rapid"

	"tributary/shared/job"
	"tributary/shared/monitor"
	"tributary/shared/notice"
)

// scalar is a value of an event file.
type scalar struct {
	At    float64
	Step  int64
	Tag   string
	Value float32
}

// fields returns the fields of a message, by number.
func fields(t *testing.T, m []byte) map[protowire.Number][][]byte {
	t.Helper()
	out := map[protowire.Number][][]byte{}
	for len(m) > 0 {
		number, kind, n := protowire.ConsumeTag(m)
		require.Positive(t, n)
		m = m[n:]
		n = protowire.ConsumeFieldValue(number, kind, m)
		require.Positive(t, n)
		value := m[:n]
		if kind == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(value)
		}
		out[number] = append(out[number], value)
		m = m[n:]
	}
	return out
}

// scalars reads an event file and checks every checksum with a bitwise CRC-32C.
func scalars(t *testing.T, file []byte) (version string, list []scalar) {
	t.Helper()
	for len(file) > 0 {
		n := binary.LittleEndian.Uint64(file)
		require.Equal(t, bitwise(file[:8]), binary.LittleEndian.Uint32(file[8:]))
		data := file[12 : 12+n]
		require.Equal(t, bitwise(data), binary.LittleEndian.Uint32(file[12+n:]))
		file = file[16+n:]
		event := fields(t, data)
		at := math.Float64frombits(binary.LittleEndian.Uint64(event[1][0]))
		if v, ok := event[3]; ok {
			version = string(v[0])
			continue
		}
		step, _ := protowire.ConsumeVarint(event[2][0])
		for _, v := range fields(t, event[5][0])[1] {
			value := fields(t, v)
			list = append(list, scalar{at, int64(step), string(value[1][0]), math.Float32frombits(binary.LittleEndian.Uint32(value[2][0]))})
		}
	}
	return version, list
}

// bitwise is the masked CRC-32C, computed bit by bit.
func bitwise(data []byte) uint32 {
	crc := ^uint32(0)
	for _, b := range data {
		crc ^= uint32(b)
		for range 8 {
			crc = crc>>1 ^ 0x82f63b78*(crc&1)
		}
	}
	crc = ^crc
	return (crc>>15 | crc<<17) + 0xa282ead8
}

// The checksum of "123456789" is known (RFC 3720, CRC-32C: e3069283).
func TestMaskedChecksum(t *testing.T) {
	require.Equal(t, bits.RotateLeft32(0xe3069283, 17)+0xa282ead8, masked([]byte("123456789")))
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOf(rapid.Byte()).Draw(t, "data")
		require.Equal(t, bitwise(data), masked(data))
	})
}

// The first event has 24 bytes. The files of TensorFlow begin with the same length and the
// same checksum.
func TestEventFileBegins(t *testing.T) {
	file, err := EventFile(nil, nil)
	require.NoError(t, err)
	require.Equal(t, "1800000000000000"+"a37f4b22"+"09"+"0000000000000000"+"1a0d"+hex.EncodeToString([]byte("brain.Event:2")), hex.EncodeToString(file[:36]))
	require.Len(t, file, 40)
}

func TestEventFile(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	timing := Timing{{Time: start, Step: 0}, {Time: start.Add(4 * time.Second), Step: 4, SamplesPerSecond: 100, Workers: 2, GradientNorm: &notice.GradientNorm{Step: 2, Norm: 0.125}}}
	timing = append(timing, timing[1]) // the same norm again
	c := Curves{
		Losses: []Point{{1, 2}, {2, math.NaN()}, {3, 1}},
		Evaluations: []monitor.Evaluation{
			{Step: 2, Split: job.Validation, Metrics: map[string]float64{"loss": 0.5, "auc": 0.75}},
			{Step: 9, Split: job.Test, Metrics: map[string]float64{"loss": 1e300}},
		},
		Rate: func(int64) float64 { return 0.25 }, Epoch: func(step int64) int64 { return step/2 + 1 },
	}
	file, err := EventFile(MetricsJSONL(c), timing)
	require.NoError(t, err)
	version, list := scalars(t, file)
	require.Equal(t, "brain.Event:2", version)
	const at = 1.7e9
	require.Equal(t, []scalar{
		{at + 1, 1, "epoch", 1},
		{at + 1, 1, "learning_rate", 0.25},
		{at + 1, 1, "loss/batch", 2},
		{at + 2, 2, "epoch", 1},
		{at + 2, 2, "learning_rate", 0.25},
		{at + 2, 2, "auc/validation", 0.75},
		{at + 2, 2, "loss/validation", 0.5},
		{at + 3, 3, "epoch", 2},
		{at + 3, 3, "learning_rate", 0.25},
		{at + 3, 3, "loss/batch", 1},
		{at + 4, 4, "samples_per_second", 100},
		{at + 4, 3, "gradient_norm", 0.125},
		{at + 4, 4, "samples_per_second", 100},
	}, list)
	again, err := EventFile(MetricsJSONL(c), timing)
	require.NoError(t, err)
	require.True(t, bytes.Equal(file, again))
	_, err = EventFile([]byte("{\n"), nil)
	require.ErrorContains(t, err, `metrics.jsonl: line "{\n"`)
}

// The event file of a long job has a bounded number of steps, and all evaluations.
func TestEventFileOfALongJob(t *testing.T) {
	var b strings.Builder
	const most, steps = 100, 301
	for i := range steps {
		fmt.Fprintf(&b, "{\"step\":%d,\"loss\":1}\n", i+1)
	}
	b.WriteString(`{"step":7,"split":"test","metrics":{"loss":1}}` + "\n")
	file, err := eventFile([]byte(b.String()), nil, most)
	require.NoError(t, err)
	_, list := scalars(t, file)
	require.Len(t, list, steps/4+1)
	require.Equal(t, "loss/test", list[len(list)-1].Tag)
}

func TestTimeOfAStep(t *testing.T) {
	start := time.Unix(100, 0)
	require.Equal(t, time.Unix(0, 0), Timing(nil).At(5))
	timing := Timing{{Time: start, Step: 10}, {Time: start.Add(time.Second), Step: 10}, {Time: start.Add(3 * time.Second), Step: 20}}
	for step, want := range map[int64]time.Duration{0: 0, 10: 0, 15: 2 * time.Second, 20: 3 * time.Second, 99: 3 * time.Second} {
		require.Equal(t, start.Add(want), timing.At(step), step)
	}
	require.Equal(t, `{"time":"1970-01-01T00:01:40Z","step":10,"samples_per_second":2.5,"workers":3}`+"\n",
		string(Timing{{Time: start.UTC(), Step: 10, SamplesPerSecond: 2.5, Workers: 3}}.JSONL()))
}
