package dataset

import (
	"crypto/sha256"
	"encoding/binary"
)

// A hashed column has a category for each of so many buckets, and no list of texts: the
// bucket of a text follows from the text and the column's name alone. Different texts may
// share a bucket (the hashing trick, Weinberger et al., 2009, without signs).

// hashedBins is the most bins of a hashed column in a profile of the training rows.
const hashedBins = 1024

// HashText returns the hash of a text of a column, of 53 bits, which a float64 holds: the
// first bits of the SHA-256 of the column's name, a zero byte, and the text.
func HashText(column, text string) uint64 {
	const bits, usual = 53, 120
	buffer := make([]byte, 0, usual)
	buffer = append(append(append(buffer, column...), 0), text...)
	sum := sha256.Sum256(buffer)
	return binary.BigEndian.Uint64(sum[:]) >> (64 - bits)
}

// Bucket returns the bucket of a hash in a column of n buckets: the remainder.
func Bucket(hash uint64, n int) int { return int(hash % uint64(n)) }

// Size returns the number of the column's categories: those of the training split, or its
// buckets.
func (c *Column) Size() int {
	if c.Hash > 0 {
		return c.Hash
	}
	return len(c.Categories)
}

// Bins returns the number of counts of a categorical column in a profile, and ProfileBin the
// one of a category.
func (c *Column) Bins() int { return min(c.Size(), max(hashedBins, len(c.Categories))) }

// ProfileBin returns the count of a category in a profile.
func (c *Column) ProfileBin(category int) int {
	if c.Hash > 0 {
		return category % c.Bins()
	}
	return category
}
