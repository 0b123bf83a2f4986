package plan

import (
	"fmt"
	"slices"
	"strings"

	"tributary/shared/job"
)

// Operation is something that a plan can ask for and that programs do not know which are
// older than it: a kind of layer, an optimizer, a way to sum up.
type Operation struct {
	Capability job.Capability
	Used       func(*Plan) bool // whether the plan asks for it
}

// Operations are those that this program knows beyond the base set, in the order in which
// versions of the program have learned them. A version adds to its end, nothing is removed,
// and nothing changes it once the program runs.
var Operations = []Operation{
	{Capability: "frozen", Used: (*Plan).freezes},
}

// freezes reports whether a layer is not trained.
func (p *Plan) freezes() bool {
	return slices.ContainsFunc(p.Spec.Model.Layers, func(l job.Layer) bool { return l.Dense != nil && l.Dense.Frozen() })
}

// Capabilities lists the operations that this program knows.
func Capabilities() []job.Capability {
	known := make([]job.Capability, len(Operations))
	for i, o := range Operations {
		known[i] = o.Capability
	}
	return known
}

// Unknown lists those capabilities that this program does not know.
func Unknown(capabilities []job.Capability) []job.Capability {
	known := Capabilities()
	return slices.DeleteFunc(slices.Clone(capabilities), func(c job.Capability) bool { return slices.Contains(known, c) })
}

// require states what the plan needs, and the oldest version of the format that can say so:
// programs that know no operations read what they know, and refuse the rest.
func (p *Plan) require() {
	p.Version, p.Needs = Version, nil
	for _, o := range Operations {
		if o.Used(p) {
			p.Version, p.Needs = versionOfNeeds, append(p.Needs, o.Capability)
		}
	}
}

// understood reports whether this program knows all that a plan of that version needs.
func understood(version int, needs []job.Capability) error {
	if (version == versionOfNeeds) != (len(needs) > 0) {
		return fmt.Errorf("plan of version %d has %d needs; one of version %d has some, and no other has any: %w", version, len(needs), versionOfNeeds, job.ErrCorrupt)
	}
	if unknown := Unknown(needs); len(unknown) > 0 {
		return fmt.Errorf("plan needs %s; this program does not know %s: %w", words(needs), words(unknown), job.ErrUnsupported)
	}
	return nil
}

// words joins capabilities as people read them.
func words(capabilities []job.Capability) string {
	all := make([]string, len(capabilities))
	for i, c := range capabilities {
		all[i] = string(c)
	}
	return strings.Join(all, ", ")
}
