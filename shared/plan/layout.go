package plan

import (
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/wire"
)

// Layout returns the layout that addresses the ledger of the job ref with this plan. It
// reads neither data nor weights.
func (p *Plan) Layout(ref job.Ref) (ledger.Layout, error) {
	network, err := p.Network()
	if err != nil {
		return ledger.Layout{}, err
	}
	format, err := wire.FormatOf(p.Spec.Wire, p.Spec.WireKeep)
	if err != nil {
		return ledger.Layout{}, err
	}
	_, digest, err := p.Encode()
	if err != nil {
		return ledger.Layout{}, err
	}
	return ledger.Layout{
		Ref: ref, Plan: digest, Origin: p.origin(), Params: network.Params(), ChunkLen: p.ChunkLen,
		Microbatch: p.Spec.Microbatches, Wire: format,
	}, nil
}
