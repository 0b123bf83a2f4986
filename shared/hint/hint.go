// Package hint finds the word that a person may have meant by a misspelt word.
//
// It owns how similar a word must be. The callers decide which words are allowed: fields
// and words of specs, columns and files.
//
// Invariant: finding nothing is not an error, and the package compares a bounded number
// of words.
package hint

import (
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
)

// The bounds of what is compared: the number of words, and the bytes of a word.
const (
	maxWords = 10_000
	maxWord  = 200
)

// For returns `; did you mean "accuracy"?` with the allowed word that is most similar to
// word, or "" if none is similar. A word is not similar if it differs in more than a
// third of its letters, or in more than three letters.
func For(word string, allowed []string) string {
	if len(word) > maxWord {
		return ""
	}
	best, least := "", min(3, (len(word)+2)/3)+1
	if len(word) < 3 {
		least = 1 // otherwise every other letter would be similar
	}
	lower := strings.ToLower(word)
	for _, a := range allowed[:min(len(allowed), maxWords)] {
		if len(a) > maxWord || a == word {
			continue
		}
		if d := levenshtein.ComputeDistance(lower, strings.ToLower(a)); d < least {
			best, least = a, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + strconv.Quote(best) + "?"
}
