package memory

import "tributary/shared/ledger"

// Left lists the jobs of the reference that are kept.
func (l *Ledger) Left(lay ledger.Layout) (left []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.jobs[lay.Ref]; ok {
		left = append(left, lay.Ref.String())
	}
	return left
}
