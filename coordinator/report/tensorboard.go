package report

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"tributary/shared/notice"
)

// EventsFile is the name of the event file for TensorBoard, which reads the files of a
// folder whose names contain "tfevents".
const EventsFile = "events.out.tfevents.tributary"

// The tags of a step's values. An evaluation has METRIC/SPLIT.
const (
	batchLossTag = "loss/batch"
	rateTag      = "learning_rate"
	epochTag     = "epoch"
	speedTag     = "samples_per_second"
	normTag      = "gradient_norm"
)

// maxStepEvents bounds the steps with an event, so that the file and the memory for it stay
// small. Of a longer job, every second step has one, or every third, and so on.
const maxStepEvents = 100_000

// EventFile returns the event file of a training: the lines of metrics.jsonl as scalars,
// and the speed of the marks, in order of steps. Their times are those of t. It fails if metrics is not a
// metrics.jsonl. Values that are not finite are left out.
//
// The format is that of TensorFlow: TFRecords (tensorflow/core/lib/io/record_writer.h) of
// the message Event (tensorflow/core/util/event.proto).
func EventFile(metrics []byte, t Timing) ([]byte, error) { return eventFile(metrics, t, maxStepEvents) }

// eventFile is EventFile with at most so many steps.
func eventFile(metrics []byte, t Timing, most int) ([]byte, error) {
	lines := bytes.Count(metrics, []byte("\n"))
	every := int64((lines + most - 1) / most)
	var out events
	out.version(t.At(0))
	marks, norm := 0, notice.GradientNorm{Step: -1}
	speeds := func(until int64) {
		for ; marks < len(t) && t[marks].Step <= until; marks++ {
			m := t[marks]
			if m.SamplesPerSecond > 0 {
				out.scalars(m.Time, m.Step, map[string]float64{speedTag: m.SamplesPerSecond})
			}
			if n := m.GradientNorm; n != nil && *n != norm {
				norm = *n
				out.scalars(m.Time, n.Step+1, map[string]float64{normTag: n.Norm})
			}
		}
	}
	for text := range strings.Lines(string(metrics)) {
		var v struct {
			Step    int64              `json:"step"`
			Epoch   *float64           `json:"epoch"`
			Loss    *float64           `json:"loss"`
			Rate    *float64           `json:"learning_rate"`
			Split   string             `json:"split"`
			Metrics map[string]float64 `json:"metrics"`
		}
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			return nil, fmt.Errorf("%s: line %.80q: %w", MetricsFile, text, err)
		}
		values := map[string]float64{}
		for name, x := range v.Metrics {
			values[name+"/"+v.Split] = x
		}
		if v.Split == "" && (every <= 1 || v.Step%every == 0) {
			for tag, x := range map[string]*float64{batchLossTag: v.Loss, rateTag: v.Rate, epochTag: v.Epoch} {
				if x != nil {
					values[tag] = *x
				}
			}
		}
		speeds(v.Step - 1)
		out.scalars(t.At(v.Step), v.Step, values)
	}
	speeds(math.MaxInt64)
	return out.Bytes(), nil
}

// events is an event file that is being written.
type events struct{ bytes.Buffer }

// The fields of the messages Event, Summary and Summary.Value.
const (
	eventTime, eventStep, eventVersion, eventSummary = 1, 2, 3, 5
	summaryValue                                     = 1
	valueTag, valueSimple                            = 1, 2
)

// version appends the event that begins a file.
func (e *events) version(at time.Time) {
	m := appendTime(nil, at)
	m = protowire.AppendTag(m, eventVersion, protowire.BytesType)
	e.record(protowire.AppendString(m, "brain.Event:2"))
}

// scalars appends an event with values by tag. It appends nothing if no value is finite.
func (e *events) scalars(at time.Time, step int64, values map[string]float64) {
	var summary []byte
	for _, tag := range slices.Sorted(maps.Keys(values)) {
		x := float32(values[tag])
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			continue
		}
		var v []byte
		v = protowire.AppendTag(v, valueTag, protowire.BytesType)
		v = protowire.AppendString(v, tag)
		v = protowire.AppendTag(v, valueSimple, protowire.Fixed32Type)
		v = protowire.AppendFixed32(v, math.Float32bits(x))
		summary = protowire.AppendTag(summary, summaryValue, protowire.BytesType)
		summary = protowire.AppendBytes(summary, v)
	}
	if summary == nil {
		return
	}
	m := appendTime(nil, at)
	m = protowire.AppendTag(m, eventStep, protowire.VarintType)
	m = protowire.AppendVarint(m, uint64(step))
	m = protowire.AppendTag(m, eventSummary, protowire.BytesType)
	e.record(protowire.AppendBytes(m, summary))
}

// appendTime appends the field wall_time: seconds of Unix time.
func appendTime(m []byte, at time.Time) []byte {
	m = protowire.AppendTag(m, eventTime, protowire.Fixed64Type)
	return protowire.AppendFixed64(m, math.Float64bits(float64(at.UnixNano())/1e9))
}

// record appends a TFRecord: the length, its checksum, the data, and its checksum.
func (e *events) record(data []byte) {
	length := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	e.Write(length)
	e.Write(binary.LittleEndian.AppendUint32(nil, masked(length)))
	e.Write(data)
	e.Write(binary.LittleEndian.AppendUint32(nil, masked(data)))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// masked returns the masked CRC-32C of TFRecords.
func masked(data []byte) uint32 {
	sum := crc32.Checksum(data, castagnoli)
	return (sum>>15 | sum<<17) + 0xa282ead8
}
