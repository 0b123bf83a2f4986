package model

// Limit sets how many elements of a batch p keeps.
func (p *Pass) Limit(elements int) { p.most = elements }
