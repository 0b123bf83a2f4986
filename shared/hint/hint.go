// Package hint finds what a person may have meant by a misspelt word.
//
// It owns how near a word must be. Which words are allowed is its callers': fields and
// words of specs, columns and files.
//
// Invariant: it is no error to find nothing, and it looks at a bounded number of words.
package hint

import (
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Bounds of what is compared: words, and bytes of a word.
const (
	maxWords = 10_000
	maxWord  = 200
)

// For returns `; did you mean "accuracy"?` with the allowed word that is nearest to word, or "" when none
// is near: one that differs in more than a third of its letters, or in more than three.
func For(word string, allowed []string) string {
	if len(word) > maxWord {
		return ""
	}
	best, least := "", min(3, (len(word)+2)/3)+1
	if len(word) < 3 {
		least = 1 // every other letter would be near
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
