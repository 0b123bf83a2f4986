package memory_test

import (
	"testing"

	"tributary/shared/ledger"
	"tributary/shared/ledger/ledgertest"
	"tributary/shared/ledger/memory"
	"tributary/shared/wire"
)

func TestConformance(t *testing.T) {
	ledgertest.Run(t, func(*testing.T) ledger.Ledger { return memory.New() })
}

func TestEveryCallFails(t *testing.T) {
	for name, after := range map[string]bool{"before it took effect": false, "after it took effect": true} {
		for named, format := range ledgertest.Formats {
			t.Run(named+", "+name, func(t *testing.T) { everyCallFails(t, after, format) })
		}
	}
}

func everyCallFails(t *testing.T, after bool, format wire.Format) {
	t.Helper()
	l := memory.New()
	ledgertest.Every(t, ledgertest.Faults{
		Healthy: l,
		Faulty: func(k int) (ledger.Ledger, func() int) {
			f := &ledgertest.Faulty{Next: l, K: k, After: after}
			return f, func() int { return f.Calls }
		},
		Left: l.Left,
		Wire: format,
	})
}
