package tabular

import (
	"bufio"
	"bytes"
)

const (
	bufferBytes = 64 << 10
	sampleLines = 100 // rows that confirm a delimiter
)

// delimiters are the delimiters that a file may show, in the order of messages.
var delimiters = [...]byte{',', ';', '\t', '|'}

// detect finds the delimiter of a file, where it is certain, else a comma. A comma is the
// delimiter if the header has one outside of quotes. Another delimiter is certain if the
// header has that one alone, and each of the first rows has as many.
//
// Invariant: detect reads no more than the header, if that has a comma.
func detect(in *bufio.Reader) byte {
	header, _ := line(in)
	counts := count(header)
	at := -1
	for i, n := range counts {
		switch {
		case n > 0 && (i == 0 || at >= 0):
			return ','
		case n > 0:
			at = i
		}
	}
	if at < 0 {
		return ','
	}
	sample, err := in.Peek(bufferBytes)
	for _, l := range split(sample, err != nil) {
		if len(bytes.TrimSpace(l)) > 0 && count(l)[at] != counts[at] {
			return ','
		}
	}
	return delimiters[at]
}

// returnsAlone reports whether the lines end with a carriage return alone: the first line
// does, and the buffer holds no line feed.
func returnsAlone(in *bufio.Reader) bool {
	if _, end := line(in); end != '\r' {
		return false
	}
	sample, _ := in.Peek(bufferBytes)
	return bytes.IndexByte(sample, '\n') < 0
}

// line returns the first line that is not blank, without consuming it, and the byte that
// ends it: \n, or \r if no \n follows it. The byte is 0 if the buffer holds no line end.
func line(in *bufio.Reader) (text []byte, end byte) {
	for n := 1; ; {
		text, err := in.Peek(n)
		quoted, from := false, 0
		for i, b := range text {
			last := b == '\n' || b == '\r' && i+1 < len(text) && text[i+1] != '\n'
			switch {
			case b == '"':
				quoted = !quoted
			case quoted || !last:
			case len(bytes.TrimSpace(text[from:i])) == 0:
				from = i + 1
			default:
				return text[from:i], b
			}
		}
		if n = min(max(2*n, in.Buffered()), bufferBytes); err != nil || n == len(text) {
			return text[from:], 0
		}
	}
}

// count counts the delimiters of a line outside of quotes.
func count(text []byte) (counts [len(delimiters)]int) {
	quoted := false
	for _, b := range text {
		if b == '"' {
			quoted = !quoted
		}
		if quoted {
			continue
		}
		for i, d := range delimiters {
			if b == d {
				counts[i]++
			}
		}
	}
	return counts
}

// split returns the first whole lines of a sample. The last one is whole if the sample is
// the whole file.
func split(sample []byte, whole bool) [][]byte {
	var lines [][]byte
	quoted, from := false, 0
	for i, b := range sample {
		switch {
		case b == '"':
			quoted = !quoted
		case b == '\n' && !quoted:
			lines = append(lines, sample[from:i])
			if from = i + 1; len(lines) > sampleLines {
				return lines
			}
		}
	}
	if whole && !quoted {
		lines = append(lines, sample[from:])
	}
	return lines
}
