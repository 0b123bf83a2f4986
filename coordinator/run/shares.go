package run

import (
	"cmp"
	"slices"
	"strings"

	"tributary/coordinator/fleet"
	"tributary/coordinator/round"
	"tributary/shared/job"
)

// slotShare returns a job's share of the slots with these numerics. It divides them among
// all jobs that take steps, including those of other coordinators.
func (s *Service) slotShare(ref job.Ref, n job.Numerics) round.Fleet {
	s.mu.Lock()
	defer s.mu.Unlock()
	need := needOf(s.open[ref])
	team := s.fleet.Team(n, need)
	if s.held()[ref] { // the job takes no steps while the ledger has no room for it
		return round.Fleet{Team: team}
	}
	shares, i, refs := s.shares(ref, n)
	slots := s.fleet.Slots(n, need) // the job is being stopped, or fits on no worker
	if i >= 0 {
		slots = shares[i]
	}
	return round.Fleet{Slots: slots, Team: team, Crowded: refs > s.fleet.Slots(n, fleet.Need{})}
}

// needOf returns what a job needs of a worker.
func needOf(r job.Record) fleet.Need {
	return fleet.Need{Job: r.Ref(), Memory: r.Need, Class: r.Class()}
}

// shares divides the fleet's slots among the jobs that a worker can hold. A share is at
// most the slots of the workers that can hold the job. own is the index of the given
// job's share, -1 if the job is not open or fits on no worker. jobs is the number of
// jobs. The caller holds s.mu.
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

// setSharing records whether the job takes steps now and so shares the fleet.
func (d *driver) setSharing(sharing bool) {
	s := d.service
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.sharing != sharing {
		d.sharing = sharing
		s.notifyDrivers()
	}
}
