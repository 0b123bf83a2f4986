package run

import (
	"cmp"
	"slices"
	"strings"

	"tributary/coordinator/fleet"
	"tributary/coordinator/round"
	"tributary/shared/job"
)

// share is a job's share of the fleet's slots with numerics, among all jobs that
// take steps, those of other coordinators included.
func (s *Service) share(ref job.Ref, n job.Numerics) round.Fleet {
	s.mu.Lock()
	defer s.mu.Unlock()
	need := needOf(s.open[ref])
	team := s.fleet.Team(n, need)
	if s.held()[ref] { // it takes no steps while the ledger has no room for it
		return round.Fleet{Team: team}
	}
	shares, i, refs := s.shares(ref, n)
	slots := s.fleet.Slots(n, need) // it is being stopped, or fits nowhere
	if i >= 0 {
		slots = shares[i]
	}
	return round.Fleet{Slots: slots, Team: team, Crowded: refs > s.fleet.Slots(n, fleet.Need{})}
}

// needOf is what a job needs of a worker.
func needOf(r job.Record) fleet.Need {
	return fleet.Need{Job: r.Ref(), Memory: r.Need, Class: r.Class()}
}

// shares divides the fleet's slots among the jobs that a worker can hold: each job's
// share, no more than the slots of workers that can hold it, which of them is the given
// job's, -1 when it is not open or fits nowhere, and how many jobs there are. s.mu is held.
func (s *Service) shares(ref job.Ref, n job.Numerics) (shares []int, own, jobs int) {
	var refs []job.Ref
	held := s.held()
	for other, r := range s.open {
		if held[other] {
			continue
		}
		d := s.jobs[other]
		steps := r.State == job.Running || d != nil && d.sharing
		if (other == ref || steps && (r.Numerics == n || r.Numerics == "")) && s.fleet.Slots(n, needOf(r)) > 0 {
			refs = append(refs, other)
		}
	}
	slices.SortFunc(refs, func(a, b job.Ref) int { return strings.Compare(a.String(), b.String()) })
	claims := make([]fleet.Claim, len(refs))
	for i, other := range refs {
		r := s.open[other]
		most := s.fleet.Slots(n, needOf(r))
		if r.MaxSlots > 0 {
			most = min(most, r.MaxSlots)
		}
		claims[i] = fleet.Claim{Priority: cmp.Or(r.Priority, job.DefaultPriority), MaxSlots: most}
	}
	return fleet.Shares(s.fleet.Slots(n, fleet.Need{}), claims), slices.Index(refs, ref), len(refs)
}

// shares tells whether the job takes steps now and so shares the fleet.
func (d *driver) shares(sharing bool) {
	s := d.service
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.sharing != sharing {
		d.sharing = sharing
		s.tellFleet()
	}
}
