package model

import "tributary/shared/numeric/blas"

// plain has what most layers without weights share. Their output has the shape of their
// first input.
type plain struct{ shape Shape }

func (l plain) Output() Shape                         { return l.shape }
func (plain) Keep() int                               { return 0 }
func (plain) Prepare(*Frame)                          {}
func (plain) Differentiate(_ *Frame, _, _ int)        {}
func (plain) Gradient() Gradient                      { return NoGradient }
func (l plain) panel(p *blas.Panels, i int) []float32 { return p.Panel(i, 0, l.shape.Units) }

// done reports that the gradient of an input is complete.
func (l plain) done(f *Frame, input int) { f.Done.Receive(input, 0, l.shape.Units) }
