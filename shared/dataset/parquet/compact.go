package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The types of Thrift's compact protocol.
const (
	thriftStop   = 0
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
	thriftUUID   = 13
)

// Limits of Thrift, which the library of Parquet does not have.
const (
	maxDepth    = 32      // structs and lists within each other
	maxElements = 1 << 19 // elements of all lists, which take some hundred bytes of memory each
)

// errShort says that the bytes end within a value. errThrift is the class of other faults.
var (
	errShort  = errors.New("it ends within a value")
	errThrift = errors.New("malformed Thrift")
)

// compact reads Thrift's compact protocol. It checks the structure before a library reads
// the same bytes: no list or text is longer than the bytes that follow, and nothing is
// nested deeply.
type compact struct {
	data     []byte
	at       int
	elements int
	// visit, if it is not nil, receives each integer and boolean of a struct that is at
	// most two deep: the fields that lead to it.
	visit func(outer, inner int16, x int64)
}

func (c *compact) uvarint() (uint64, error) {
	x, n := binary.Uvarint(c.data[c.at:])
	switch {
	case n == 0:
		return 0, errShort
	case n < 0:
		return 0, fmt.Errorf("a number of over 64 bits: %w", errThrift)
	}
	c.at += n
	return x, nil
}

func (c *compact) varint() (int64, error) {
	x, err := c.uvarint()
	return int64(x>>1) ^ -int64(x&1), err
}

func (c *compact) skip(n uint64) error {
	if n > uint64(len(c.data)-c.at) {
		return errShort
	}
	c.at += int(n)
	return nil
}

func (c *compact) byte() (byte, error) {
	if c.at == len(c.data) {
		return 0, errShort
	}
	b := c.data[c.at]
	c.at++
	return b, nil
}

// structure reads the fields of a struct. outer is the field that it is the value of.
func (c *compact) structure(depth int, outer int16) error {
	if depth > maxDepth {
		return fmt.Errorf("values nested over %d deep: %w", maxDepth, errThrift)
	}
	for id := int16(0); ; {
		head, err := c.byte()
		if err != nil || head == thriftStop {
			return err
		}
		if delta := head >> 4; delta != 0 {
			id += int16(delta)
		} else {
			long, err := c.varint()
			if err != nil {
				return err
			}
			id = int16(long)
		}
		path := [2]int16{outer, id}
		if depth == 1 {
			path = [2]int16{id, 0}
		}
		if err := c.field(head&15, depth, path); err != nil {
			return err
		}
	}
}

// field reads the value of a field.
func (c *compact) field(kind byte, depth int, path [2]int16) error {
	see := func(x int64) {
		if c.visit != nil && depth <= 2 {
			c.visit(path[0], path[1], x)
		}
	}
	switch kind {
	case thriftTrue, thriftFalse:
		see(int64(2 - kind))
		return nil
	case thriftI16, thriftI32, thriftI64:
		x, err := c.varint()
		see(x)
		return err
	case thriftStruct:
		return c.structure(depth+1, path[0])
	default:
		return c.value(kind, depth)
	}
}

// value reads a value without reporting it.
func (c *compact) value(kind byte, depth int) error {
	switch kind {
	case thriftTrue, thriftFalse, thriftByte:
		return c.skip(1)
	case thriftI16, thriftI32, thriftI64:
		_, err := c.uvarint()
		return err
	case thriftDouble:
		return c.skip(8)
	case thriftUUID:
		return c.skip(16)
	case thriftBinary:
		n, err := c.uvarint()
		if err != nil {
			return err
		}
		return c.skip(n)
	case thriftList, thriftSet:
		head, err := c.byte()
		if err != nil {
			return err
		}
		n := uint64(head >> 4)
		if n == 15 {
			if n, err = c.uvarint(); err != nil {
				return err
			}
		}
		return c.items(n, depth+1, head&15)
	case thriftMap:
		n, err := c.uvarint()
		if err != nil || n == 0 {
			return err
		}
		kinds, err := c.byte()
		if err != nil {
			return err
		}
		return c.items(n, depth+1, kinds>>4, kinds&15)
	case thriftStruct:
		return c.structure(max(depth+1, 3), 0)
	default:
		return fmt.Errorf("type %d: %w", kind, errThrift)
	}
}

// items reads n elements, which have a value of each kind.
func (c *compact) items(n uint64, depth int, kinds ...byte) error {
	if depth > maxDepth {
		return fmt.Errorf("values nested over %d deep: %w", maxDepth, errThrift)
	}
	if n > uint64(len(c.data)-c.at) {
		return errShort
	}
	if c.elements += int(n); c.elements > maxElements {
		return fmt.Errorf("over %d elements: want fewer columns or row groups: %w", maxElements, errThrift)
	}
	for range n {
		for _, kind := range kinds {
			if err := c.value(kind, depth); err != nil {
				return err
			}
		}
	}
	return nil
}
