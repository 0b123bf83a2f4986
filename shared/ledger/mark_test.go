package ledger_test

import (
	"testing"

	"tributary/shared/ledger"
)

// BenchmarkMark measures the cost of a mark: for a job of one chunk, and for a job of a
// million parameters.
func BenchmarkMark(b *testing.B) {
	for name, chunks := range map[string]int{"1": 1, "16": 16} {
		b.Run(name, func(b *testing.B) {
			chain := make(ledger.Chain, chunks)
			for b.Loop() {
				chain.Mark()
			}
		})
	}
}
