package dataset

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// A machine with the other byte order can read the words of a block after swap.
func TestWordsAreSwappedAndBytesAreNot(t *testing.T) {
	s := Schema{{Name: "a", DType: Uint8, Shape: []int{4}}, {Name: "b", DType: Int32, Shape: []int{2}}}
	b, err := NewBlock(s, 2)
	require.NoError(t, err)
	copy(b.tensors[0].memory, "01234567")
	copy(b.tensors[1].memory, "0123456789abcdef")
	was, l := bytes.Clone(b.image), s.layout()
	l.swap(b.image[headBytes(b.image):], 2)
	require.Equal(t, "01234567", string(b.tensors[0].memory))
	require.Equal(t, "32107654ba98fedc", string(b.tensors[1].memory))
	l.swap(b.image[headBytes(b.image):], 2)
	require.Equal(t, was, b.image)
}
