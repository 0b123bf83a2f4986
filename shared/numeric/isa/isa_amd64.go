package isa

import "golang.org/x/sys/cpu"

func detect() []Set {
	var s []Set
	x := &cpu.X86
	if x.HasAVX512F && x.HasAVX512VL && x.HasAVX512BW && x.HasAVX512DQ {
		s = append(s, AVX512)
	}
	if x.HasAVX2 && x.HasFMA && x.HasF16C {
		s = append(s, AVX2)
	}
	return s
}
