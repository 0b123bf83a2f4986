package tabular

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"tributary/shared/job"
)

// decoder converts characters of an encoding to UTF-8.
type decoder struct {
	in   *bufio.Reader
	next func(*bufio.Reader) (rune, error)
	out  []byte
	err  error
	read int64 // characters so far
}

func (d *decoder) Read(p []byte) (int, error) {
	for len(d.out) == 0 && d.err == nil {
		d.fill()
	}
	if len(d.out) == 0 {
		return 0, d.err
	}
	n := copy(p, d.out)
	d.out = d.out[n:]
	return n, nil
}

// fill decodes the characters that are in the buffer, at least one.
func (d *decoder) fill() {
	const most = 16 << 10
	d.out = d.out[:0:0]
	for len(d.out) < most {
		r, err := d.next(d.in)
		if errors.Is(err, errEncoding) {
			err = fmt.Errorf("character %d: %w: set data.csv.encoding to the file's (one of %v): %w", d.read+1, err, job.UTF8.Allowed(), job.ErrInvalid)
		}
		if err != nil {
			d.err = err
			return
		}
		d.read++
		d.out = utf8.AppendRune(d.out, r)
		if d.in.Buffered() == 0 {
			return
		}
	}
}

// errEncoding says that bytes are no character of the encoding.
var errEncoding = errors.New("it is not in the encoding of the file")

func latin1(in *bufio.Reader) (rune, error) {
	b, err := in.ReadByte()
	return rune(b), err
}

// windows1252 has the characters of the bytes from 0x80 to 0x9f, or 0 for none.
var windows1252 = [32]rune{
	'€', 0, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 0, 'Ž', 0,
	0, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 0, 'ž', 'Ÿ',
}

func ansi(in *bufio.Reader) (rune, error) {
	b, err := in.ReadByte()
	r := rune(b)
	if b >= 0x80 && b < 0xa0 {
		if r = windows1252[b-0x80]; r == 0 {
			return 0, errEncoding
		}
	}
	return r, err
}

// wide returns a reader of UTF-16 characters.
func wide(unit func(a, b byte) rune) func(*bufio.Reader) (rune, error) {
	two := func(in *bufio.Reader) (rune, error) {
		a, err := in.ReadByte()
		if err != nil {
			return 0, err
		}
		b, err := in.ReadByte()
		if errors.Is(err, io.EOF) {
			return 0, errEncoding // half of a unit
		}
		return unit(a, b), err
	}
	return func(in *bufio.Reader) (rune, error) {
		r, err := two(in)
		if err != nil || !utf16.IsSurrogate(r) {
			return r, err
		}
		low, err := two(in)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			return 0, errEncoding
		}
		return r, nil
	}
}

func littleEndian(a, b byte) rune { return rune(a) | rune(b)<<8 }
func bigEndian(a, b byte) rune    { return rune(b) | rune(a)<<8 }

// decode returns the characters of in as UTF-8, without a byte order mark. detected is set
// if the mark alone shows the encoding.
func decode(in *bufio.Reader, e job.Encoded) (out *bufio.Reader, detected job.Encoded) {
	head, _ := in.Peek(3)
	mark := job.Encoded("")
	switch {
	case string(head) == "\xef\xbb\xbf":
		mark = job.UTF8
	case len(head) >= 2 && head[0] == 0xff && head[1] == 0xfe:
		mark = job.UTF16LE
	case len(head) >= 2 && head[0] == 0xfe && head[1] == 0xff:
		mark = job.UTF16BE
	}
	switch {
	case e == "" && mark != "", e == job.UTF16 && mark != "" && mark != job.UTF8:
		if detected = mark; e != "" || mark == job.UTF8 {
			detected = ""
		}
		e = mark
	case e == job.UTF16:
		e = job.UTF16LE
	}
	if e == mark && mark != "" {
		_, _ = in.Discard(map[job.Encoded]int{job.UTF8: 3, job.UTF16LE: 2, job.UTF16BE: 2}[mark])
	}
	d := &decoder{in: in}
	switch e {
	case job.Latin1:
		d.next = latin1
	case job.Windows1252:
		d.next = ansi
	case job.UTF16LE:
		d.next = wide(littleEndian)
	case job.UTF16BE:
		d.next = wide(bigEndian)
	default:
		return in, detected
	}
	return bufio.NewReaderSize(d, bufferBytes), detected
}
