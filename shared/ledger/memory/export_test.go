package memory

import "tributary/shared/ledger"

// Left lists the jobs with the reference of lay that the ledger still holds.
func (l *Ledger) Left(lay ledger.Layout) (left []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.jobs[lay.Ref]; ok {
		left = append(left, lay.Ref.String())
	}
	return left
}
