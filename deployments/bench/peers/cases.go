package main

import (
	"fmt"
	"strconv"
	"strings"

	"tributary/deployments/bench/fleet"
)

// configuration is one way to train one case. Either ours or torch is set.
type configuration struct {
	of    string // the case
	ours  *ours
	torch *torch
}

// ours is a fleet of worker processes with so many slots each.
type ours struct {
	workers, slots, microbatches int
	spec                         fleet.Object
	share                        string // the coordinator's --share; empty: its default, auto
}

// torch is a set of PyTorch processes with so many threads each. sync is empty if the
// training is not distributed.
type torch struct {
	processes, threads int
	sync               string
	args               []string
	core               string // OPENBLAS_CORETYPE, or empty
}

func (k configuration) name() string { return k.of + " " + k.label() }

func (k configuration) label() string {
	if o := k.ours; o != nil {
		return strings.TrimSpace(fmt.Sprintf("tributary %d×%d M%d %s", o.workers, o.slots, o.microbatches, o.share))
	}
	if t := k.torch; t.sync != "" {
		return fmt.Sprintf("torch %s %d×%d", map[string]string{"ddp": "DDP", "flat": "flat"}[t.sync], t.processes, t.threads)
	}
	return fmt.Sprintf("torch 1×%d", k.torch.threads)
}

// configurations lists everything that can be compared. Widths, optimizers and rates are
// the same as in CASES in torch_peer.py.
func configurations(microbatches int, short bool) []configuration {
	epochs := map[string]int{"a": 20, "b": 5, "c": 1}
	steps := 3000
	if short {
		epochs, steps = map[string]int{"a": 1, "b": 1, "c": 1}, 200
	}
	hidden := map[string][]int{"b": {256, 128}, "c": {2048, 2048}}
	var out []configuration
	for _, name := range []string{"a", "b", "c"} {
		optimizer := fleet.SGD(0.1)
		if name == "b" {
			optimizer = fleet.Adam(1e-3)
		}
		our := func(workers, slots, m int, share string) {
			out = append(out, configuration{of: name, ours: &ours{workers, slots, m, fleet.MNIST(name, optimizer, epochs[name], m, hidden[name]...), share}})
		}
		their := func(processes, threads int, sync string) {
			args := []string{"--case", name, "--epochs", strconv.Itoa(epochs[name])}
			out = append(out, configuration{of: name, torch: &torch{processes, threads, sync, args, ""}})
		}
		our(1, 2, microbatches, "")
		our(2, 1, microbatches, "")
		our(2, 1, microbatches, "always")
		if name == "b" && microbatches != 16 {
			our(2, 1, 16, "always")
		}
		their(1, 1, "")
		their(1, 2, "")
		their(2, 1, "ddp")
		their(2, 1, "flat")
	}
	tiny := []string{"--case", "tiny", "--steps", strconv.Itoa(steps)}
	return append(
		out,
		configuration{of: "tiny", ours: &ours{2, 1, 2, fleet.Tiny(steps, 2), ""}},
		configuration{of: "tiny", ours: &ours{2, 1, 2, fleet.Tiny(steps, 2), "always"}},
		configuration{of: "tiny", torch: &torch{2, 1, "ddp", tiny, ""}},
		configuration{of: "tiny", torch: &torch{2, 1, "flat", tiny, ""}},
	)
}
