package ingest

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

// npyOf makes the file of an array.
func npyOf(descr string, fortran bool, shape string, values ...any) []byte {
	order := "False"
	if fortran {
		order = "True"
	}
	return npyText(fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': (%s), }\n", descr, order, shape), descr, values...)
}

func npyText(header, descr string, values ...any) []byte {
	var b bytes.Buffer
	b.WriteString("\x93NUMPY\x01\x00")
	_ = binary.Write(&b, binary.LittleEndian, uint16(len(header))) // a buffer takes everything
	b.WriteString(header)
	var order binary.ByteOrder = binary.LittleEndian
	if strings.HasPrefix(descr, ">") {
		order = binary.BigEndian
	}
	for _, v := range values {
		_ = binary.Write(&b, order, v)
	}
	return b.Bytes()
}

// npzOf makes an archive of arrays.
func npzOf(t *testing.T, arrays map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range arrays {
		f, err := z.Create(name + ".npy")
		require.NoError(t, err)
		_, err = f.Write(content)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return b.Bytes()
}

func npySpec() *job.Spec {
	return &job.Spec{Loss: job.MSE, Data: job.Data{Source: "x", Labels: "y", Format: job.NumPy}}
}

func TestNumPyTypesAndOrders(t *testing.T) {
	y := npyOf("<f8", false, "2,", 1.5, -2.5)
	want := [][]float32{{1, 2, 3}, {4, 5, 6}}
	for about, x := range map[string][]byte{
		"<f8":         npyOf("<f8", false, "2, 3", 1.0, 2.0, 3.0, 4.0, 5.0, 6.0),
		">f8":         npyOf(">f8", false, "2, 3", 1.0, 2.0, 3.0, 4.0, 5.0, 6.0),
		"<f4 Fortran": npyOf("<f4", true, "2, 3", []float32{1, 4, 2, 5, 3, 6}),
		">i2":         npyOf(">i2", false, "2, 3", []int16{1, 2, 3, 4, 5, 6}),
		"|u1":         npyOf("|u1", false, "2, 3", []byte{1, 2, 3, 4, 5, 6}),
		"|i1 Fortran": npyOf("|i1", true, "2, 3", []int8{1, 4, 2, 5, 3, 6}),
		"<u8":         npyOf("<u8", false, "2, 3", []uint64{1, 2, 3, 4, 5, 6}),
		"<f2":         npyOf("<f2", false, "2, 3", []uint16{0x3c00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600}),
		"gzip":        pack(t, npyOf("<i8", false, "2, 3", []int64{1, 2, 3, 4, 5, 6})),
	} {
		for _, memory := range []int64{0, 16} { // in memory, and in files
			in := &Ingest{Sources: sources{"x": x, "y": y}, Store: discard{}, Memory: memory, Scratch: t.TempDir()}
			_, err := in.Run(t.Context(), npySpec())
			require.NoError(t, err, about)
		}
		o := mustRun(t, npySpec(), sources{"x": x, "y": y})
		require.Equal(t, want, o.x[job.Train], about)
		require.Equal(t, [][]float32{{1.5}, {-2.5}}, o.y[job.Train], about)
	}
	// Value (i, j, k) of [2, 2, 3] is 100 i + 10 j + k, in Fortran order.
	var values []uint16
	for k := range uint16(3) {
		for j := range uint16(2) {
			for i := range uint16(2) {
				values = append(values, 100*i+10*j+k)
			}
		}
	}
	o := mustRun(t, npySpec(), sources{"x": npyOf("<u2", true, "2, 2, 3", values), "y": y})
	require.Equal(t, [][]float32{{0, 1, 2, 10, 11, 12}, {100, 101, 102, 110, 111, 112}}, o.x[job.Train])

	spec := npySpec()
	spec.Loss = job.SoftmaxCrossEntropy
	o = mustRun(t, spec, sources{"x": npyOf("|b1", false, "3, 2", []byte{0, 1, 1, 0, 1, 1}), "y": npyOf("<i8", false, "3, 1", []int64{7, -1, 7})})
	require.Equal(t, []string{"-1", "7"}, o.Classes)
	require.Equal(t, [][]float32{{0, 1}, {1, 0}, {1, 1}}, o.x[job.Train])
}

func TestArchivesOfArrays(t *testing.T) {
	x, y := npyOf("<f8", false, "2,", 1.0, 2.0), npyOf("<f8", false, "2,", 3.0, 5.0)
	from := sources{"x": npzOf(t, map[string][]byte{"x_train": x, "y_train": y, "x_test": y, "y_test": x})}
	spec := npySpec()
	spec.Data.Labels, spec.Data.Test, spec.Data.TestLabels = "x", "x", "x"
	o := mustRun(t, spec, from)
	require.Equal(t, [][]float32{{1}, {2}}, o.x[job.Train])
	require.Equal(t, [][]float32{{3}, {5}}, o.x[job.Test])
	require.Equal(t, [][]float32{{1}, {2}}, o.y[job.Test])
	spec.Data.Arrays = &job.Arrays{X: "y_test", TestY: "y_train"}
	o = mustRun(t, spec, from)
	require.Equal(t, [][]float32{{3}, {5}}, o.y[job.Test])
	spec.Data.Arrays.X = "z"
	_, err := run(t, spec, from)
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, `no array ["z"] in the archive, which has [`)
	damaged := bytes.Clone(from["x"])
	damaged[60] ^= 0xff
	spec.Data.Arrays = nil
	_, err = run(t, spec, sources{"x": damaged})
	require.ErrorIs(t, err, job.ErrInvalid)
	_, err = run(t, spec, sources{"x": from["x"][:len(from["x"])-30]})
	require.ErrorIs(t, err, job.ErrInvalid)
}

func TestNumPyThatIsRefused(t *testing.T) {
	y := npyOf("<f8", false, "2,", 1.5, -2.5)
	whole := npyOf("<f8", false, "2, 1", 1.0, 2.0)
	for want, x := range map[string][]byte{
		"want a NumPy array":                          []byte("a,b\n1,2\n3,4\n"),
		"ends within the header":                      whole[:20],
		"15 bytes of values, its header announces 16": whole[:len(whole)-1],
		"17 bytes of values":                          append(bytes.Clone(whole), 0),
		"version 9":                                   append([]byte("\x93NUMPY\x09\x00"), whole[8:]...),
		"Python objects, which are a pickle":          npyOf("|O", false, "2,", []byte("cos\nsystem\n")),
		"texts":                                       npyOf("<U3", false, "2,", make([]byte, 24)),
		"dates":                                       npyOf("<M8[D]", false, "2,", []int64{1, 2}),
		"complex numbers":                             npyOf("<c8", false, "2,", []int64{1, 2}),
		"not of structures":                           npyText("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (2,), }", "<f8", 1.0, 2.0),
		"no values":                                   npyOf("<f8", false, "0, 3"),
		"want 1 to 4 dimensions":                      npyOf("<f8", false, ""),
		"(1, 1, 1, 1, 1): want 1 to 4":                npyOf("<f8", false, "1, 1, 1, 1, 1", 1.0),
		"over 17179869184 bytes":                      npyOf("<f8", false, "99999999999, 99999999999"),
		"row 2, value 1: NaN":                         npyOf("<f8", false, "2, 1", 1.0, math.NaN()),
		"9007199254740993: want at most 2⁵³":          npyOf("<i8", false, "2,", []int64{1, 1<<53 + 1}),
		"18446744073709551615: want at most":          npyOf("<u8", false, "2,", []uint64{1, math.MaxUint64}),
		"2 labels for 3 rows":                         npyOf("<f8", false, "3,", 1.0, 2.0, 3.0),
	} {
		_, err := run(t, npySpec(), sources{"x": x, "y": y})
		require.ErrorIs(t, err, job.ErrInvalid, want)
		require.ErrorContains(t, err, want)
	}
	spec := npySpec()
	spec.Loss = job.SigmoidCrossEntropy
	_, err := run(t, spec, sources{"x": whole, "y": npyOf("<f8", false, "2, 2", 1.0, 2.0, 3.0, 4.0)})
	require.ErrorContains(t, err, "the label of classes has one")
}

// FuzzNumPy checks that any bytes give an error or as many values as the header says.
func FuzzNumPy(f *testing.F) {
	f.Add(npyOf("<f4", true, "2, 3", []float32{1, 4, 2, 5, 3, 6}))
	f.Add(npyOf(">i2", false, "2, 3", []int16{1, 2, 3, 4, 5, 6}))
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, data []byte) {
		w := &work{Ingest: &Ingest{MaxBytes: 1 << 20}, space: &space{keep: 1 << 20, folder: t.TempDir()}}
		rows, c, err := w.arrayOf(t.Context(), bytes.NewReader(data), []string{"x"}, 4)
		if err == nil {
			require.EqualValues(t, int64(rows)*int64(c.size()), c.data.size())
		}
		require.NoError(t, w.space.close())
	})
}
