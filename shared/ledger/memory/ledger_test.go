package memory_test

import (
	"testing"

	"tributary/shared/ledger"
	"tributary/shared/ledger/ledgertest"
	"tributary/shared/ledger/memory"
)

func TestConformance(t *testing.T) {
	ledgertest.Run(t, func(*testing.T) ledger.Ledger { return memory.New() })
}

func TestEveryCallFails(t *testing.T) {
	for name, after := range map[string]bool{"before it took effect": false, "after it took effect": true} {
		t.Run(name, func(t *testing.T) {
			l := memory.New()
			ledgertest.Every(t, ledgertest.Faults{
				Healthy: l,
				Faulty: func(k int) (ledger.Ledger, func() bool) {
					f := &ledgertest.Faulty{Next: l, K: k, After: after}
					return f, func() bool { return f.Calls >= k }
				},
				Left: l.Left,
			})
		})
	}
}
