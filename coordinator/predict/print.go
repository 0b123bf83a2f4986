package predict

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"tributary/shared/drift"
	"tributary/shared/job"
	"tributary/shared/readable"
	"tributary/shared/registry"
)

// printer prints answers.
type printer interface {
	print(registry.Answer) error
	// end prints the rest and the notes of the rows. cause is set if some rows have no
	// answer. end then returns cause, and otherwise its own error.
	end(notes []string, cause error) error
}

// lines prints one prediction per line, and notes beside them.
type lines struct {
	out   *bufio.Writer
	aside io.Writer
}

func newLines(w, aside io.Writer) *lines { return &lines{bufio.NewWriter(w), aside} }

func (l *lines) print(a registry.Answer) error {
	text, err := line(a.Prediction)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(l.out, text)
	return err
}

func (l *lines) end(notes []string, cause error) error {
	err := l.out.Flush() // the rows before a fault get their lines
	printNotes(l.aside, notes)
	if cause != nil {
		return cause
	}
	return err
}

// printNotes prints notes for a person, one per line.
func printNotes(w io.Writer, notes []string) {
	for _, note := range notes {
		fmt.Fprintln(w, "note: "+note)
	}
}

// line formats a prediction as one line. A class is printed as it is; a number has as
// many digits as needed to read back the same value; several outputs are a JSON array. A
// class that contains a line break, or that begins like a JSON text, is printed as a JSON
// text.
func line(v any) (string, error) {
	class, ok := v.(string)
	if ok && !strings.HasPrefix(class, `"`) && !strings.ContainsFunc(class, breaks) {
		return class, nil
	}
	text, err := readable.JSON(v)
	return string(text), err
}

// breaks reports whether a rune may end a line or control a terminal: C0 and C1 controls,
// and Unicode's line and paragraph separators.
func breaks(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }

// object prints one JSON object with the form of registry.Prediction. Its two arrays grow
// in files, so it needs no memory per row and can print everything or nothing.
type object struct {
	w                          io.Writer
	model                      job.ID
	classes                    []string
	predictions, probabilities *array
	drift                      *drift.Report // or nil
}

func newObject(w io.Writer, m *registry.Model) (o *object, err error) {
	o = &object{w: w, model: m.Card.ID, classes: m.Card.Classes}
	if o.predictions, err = newArray(); err != nil {
		return nil, err
	}
	if o.probabilities, err = newArray(); err != nil {
		return nil, errors.Join(err, o.predictions.file.Close())
	}
	return o, nil
}

// close closes the files, which are no longer needed.
func (o *object) close() {
	_ = o.predictions.file.Close()
	_ = o.probabilities.file.Close()
}

func (o *object) print(a registry.Answer) error {
	if err := o.predictions.add(a.Prediction); err != nil || a.Probabilities == nil {
		return err
	}
	return o.probabilities.add(a.Probabilities)
}

func (o *object) end(notes []string, cause error) error {
	if cause != nil {
		return cause
	}
	out := bufio.NewWriter(o.w)
	model, err := readable.JSON(o.model)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, `{"model":%s,"predictions":`, model)
	if err := o.predictions.copy(out); err != nil {
		return err
	}
	if err := texts(out, "classes", o.classes); err != nil {
		return err
	}
	if o.probabilities.n > 0 {
		fmt.Fprint(out, `,"probabilities":`)
		if err := o.probabilities.copy(out); err != nil {
			return err
		}
	}
	if err := texts(out, "notes", notes); err != nil {
		return err
	}
	if o.drift != nil {
		report, err := readable.JSON(o.drift)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, `,"drift":%s`, report)
	}
	fmt.Fprintln(out, "}")
	return out.Flush()
}

// texts prints a member with the given texts, unless there are none.
func texts(out io.Writer, name string, of []string) error {
	if len(of) == 0 {
		return nil
	}
	data, err := readable.JSON(of)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, `,%q:%s`, name, data)
	return err
}

// array is a JSON array in a file without a name, which vanishes with the process.
type array struct {
	file *os.File
	out  *bufio.Writer
	n    int // number of elements
}

func newArray() (*array, error) {
	f, err := os.CreateTemp("", "tributary-predict-*")
	if err != nil {
		return nil, fmt.Errorf("make a file for the answers (TMPDIR chooses its folder): %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("unlink the file for the answers: %w", err), f.Close())
	}
	return &array{file: f, out: bufio.NewWriter(f)}, nil
}

// add appends an element.
func (a *array) add(v any) error {
	data, err := readable.JSON(v)
	if err != nil {
		return err
	}
	if a.n++; a.n > 1 {
		data = append([]byte{','}, data...)
	}
	if _, err := a.out.Write(data); err != nil {
		return fmt.Errorf("write the file for the answers (TMPDIR chooses its folder): %w", err)
	}
	return nil
}

// copy writes the array to w.
func (a *array) copy(w *bufio.Writer) error {
	if err := a.out.Flush(); err != nil {
		return fmt.Errorf("write the file for the answers (TMPDIR chooses its folder): %w", err)
	}
	if _, err := a.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read the file for the answers: %w", err)
	}
	fmt.Fprint(w, "[")
	if _, err := io.Copy(w, a.file); err != nil {
		return fmt.Errorf("copy the answers: %w", err)
	}
	_, err := fmt.Fprint(w, "]")
	return err
}
