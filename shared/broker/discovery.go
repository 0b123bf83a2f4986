package broker

import (
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"tributary/shared/readable"
)

// pendingQuestions bounds the waiting requests of a discovery subject. The service answers
// them at once, so more of them are a flood, and are lost.
const pendingQuestions = 1024

// announce answers the requests of programs that look for services: PING, INFO and STATS,
// to all services, to those of this name, or to this instance.
func (s *Service) announce() error {
	for verb, answer := range map[micro.Verb]func() any{
		micro.PingVerb:  func() any { return micro.Ping{ServiceIdentity: s.identity(), Type: micro.PingResponseType} },
		micro.InfoVerb:  func() any { return s.info() },
		micro.StatsVerb: func() any { return s.Stats() },
	} {
		for _, of := range [][2]string{{"", ""}, {s.cfg.Name, ""}, {s.cfg.Name, s.id}} {
			subject, err := micro.ControlSubject(verb, of[0], of[1])
			if err != nil {
				return err
			}
			if err := s.answer(subject, answer); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Service) answer(subject string, answer func() any) error {
	sub, err := s.c.nc.Subscribe(subject, func(m *nats.Msg) {
		s.c.contain(subject, func() {
			data, err := readable.JSON(answer())
			if err == nil {
				err = s.c.respond(m, &nats.Msg{Data: data})
			}
			if err != nil {
				s.c.log.Debug().Err(err).Str("subject", m.Subject).Msg("cannot answer a discovery request of the service")
			}
		})
	})
	if err != nil {
		return classify(err)
	}
	s.about = append(s.about, sub)
	return classify(sub.SetPendingLimits(pendingQuestions, pendingQuestions*1024))
}

func (s *Service) identity() micro.ServiceIdentity {
	meta := s.cfg.Metadata
	if meta == nil {
		meta = map[string]string{} // the protocol requires an object
	}
	return micro.ServiceIdentity{Name: s.cfg.Name, ID: s.id, Version: s.cfg.Version, Metadata: meta}
}

func (s *Service) info() micro.Info {
	info := micro.Info{
		ServiceIdentity: s.identity(),
		Type:            micro.InfoResponseType,
		Description:     s.cfg.Description,
		Endpoints:       make([]micro.EndpointInfo, len(s.ends)),
	}
	for i, e := range s.ends {
		info.Endpoints[i] = micro.EndpointInfo{Name: e.Name, Subject: e.Subject, QueueGroup: e.Queue, Metadata: e.Metadata}
	}
	return info
}

// Stats returns what the endpoints have done so far.
func (s *Service) Stats() micro.Stats {
	stats := micro.Stats{
		ServiceIdentity: s.identity(),
		Type:            micro.StatsResponseType,
		Started:         s.started,
		Endpoints:       make([]*micro.EndpointStats, len(s.ends)),
	}
	for i, e := range s.ends {
		e.mu.Lock()
		st := e.stats
		e.mu.Unlock()
		stats.Endpoints[i] = &st
	}
	return stats
}
