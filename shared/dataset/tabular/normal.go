package tabular

import (
	"bufio"
	"fmt"

	"tributary/shared/job"
)

// normal rewrites the bytes of a CSV file so that a reader of RFC 4180 understands them. It
// keeps the number of lines:
//   - line ends of a carriage return alone become line feeds;
//   - comments are left out, and leave blank lines;
//   - blanks between cells become one tab, if the delimiter is whitespace;
//   - the quote becomes ", and the other way round. CSV.Next undoes this in the cells.
type normal struct {
	in              *bufio.Reader
	returns, blanks bool
	comment, quote  byte // 0 for none
	noQuote         bool // quotes are text

	quoted, commented bool
	begun, blank      bool // whether the line has a cell; whether a blank is pending
	out               []byte
	err               error
}

// noQuoteByte stands for " where quotes are text.
const noQuoteByte = 0

func (n *normal) Read(p []byte) (int, error) {
	for len(n.out) == 0 && n.err == nil {
		n.fill()
	}
	if len(n.out) == 0 {
		return 0, n.err
	}
	m := copy(p, n.out)
	n.out = n.out[m:]
	return m, nil
}

// fill rewrites the bytes that are in the buffer, at least one.
func (n *normal) fill() {
	n.out = make([]byte, 0, 2*(n.in.Buffered()+1))
	for {
		b, err := n.in.ReadByte()
		if err == nil && b == noQuoteByte && n.noQuote {
			err = fmt.Errorf("a zero byte: want none where data.csv.quote is none: %w", job.ErrInvalid)
		}
		if err != nil {
			n.err = err
			return
		}
		n.add(b)
		if n.in.Buffered() == 0 {
			return
		}
	}
}

func (n *normal) add(b byte) {
	if b == '\r' && n.returns && !n.quoted {
		b = '\n'
	}
	switch {
	case n.commented && b != '\n':
		return
	case b == '\n' && !n.quoted:
		n.commented, n.begun, n.blank = false, false, false
	case b == n.comment && n.comment != 0 && !n.quoted:
		n.commented = true
		return
	case n.blanks && !n.quoted && (b == ' ' || b == '\t'):
		n.blank = n.begun
		return
	case n.blanks && b == '\r' && !n.quoted:
		n.out = append(n.out, b)
		return
	}
	if n.blank {
		n.out = append(n.out, '\t')
		n.blank = false
	}
	if b != '\n' {
		n.begun = true
	}
	switch {
	case n.noQuote && b == '"':
		b = noQuoteByte
	case n.noQuote:
	case b == n.quote:
		n.quoted = !n.quoted
		b = '"'
	case b == '"':
		b = n.quote
	}
	n.out = append(n.out, b)
}

// original undoes the exchange of quotes in a cell.
func (n *normal) original(cell string) string {
	from, to := n.quote, byte('"')
	if n.noQuote {
		from, to = noQuoteByte, '"'
	}
	if from == to {
		return cell
	}
	var out []byte
	for i := range len(cell) {
		switch cell[i] {
		case from, to:
			if out == nil {
				out = []byte(cell)
			}
			out[i] = from ^ to ^ cell[i]
		}
	}
	if out == nil {
		return cell
	}
	return string(out)
}
