package broker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"tributary/shared/job"
	"tributary/shared/notice"
	"tributary/shared/readable"
)

// codeOf maps the class of an error to the code of a reply, as in HTTP.
func codeOf(err error) int {
	switch {
	case errors.Is(err, job.ErrInvalid):
		return 400
	case errors.Is(err, job.ErrNotFound):
		return 404
	case errors.Is(err, job.ErrConflict):
		return 409
	case errors.Is(err, job.ErrFull), missing(err):
		return 503
	case errors.Is(err, context.DeadlineExceeded):
		return 504
	default:
		return 500
	}
}

// failure is the body of a reply that reports an error.
type failure struct {
	Error struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// finish replies to a request and counts it.
func (s *Service) finish(e *endpoint, m *nats.Msg, start time.Time, data []byte, err error) {
	reply := nats.NewMsg("")
	reply.Data = data
	if limit := s.c.nc.MaxPayload(); err == nil && limit > 0 && int64(len(data)) > limit {
		err = fmt.Errorf("the reply has %d bytes; the server's max_payload allows %d: %w", len(data), limit, job.ErrFull)
	}
	if err != nil {
		fail(reply, err)
	}
	e.count(time.Since(start), err) // before the reply, so that a requester that has the reply finds it counted
	if err := s.c.respond(m, reply); err != nil {
		s.c.sparse.Warn().Err(err).Str("endpoint", e.Name).Msg("a reply cannot be sent")
	}
}

// respond sends a reply to m; it sends nothing when m has no reply subject. It refuses a
// reply subject that is not an inbox. Otherwise a requester without the right to publish to
// JetStream's API, to a bucket or to the workers could make this process do it.
func (c *Conn) respond(m, reply *nats.Msg) error {
	for _, forbidden := range []string{"$", "tributary."} {
		if strings.HasPrefix(m.Reply, forbidden) {
			return fmt.Errorf("reply subject %.100q: want none that begins with %s: %w", m.Reply, forbidden, job.ErrInvalid)
		}
	}
	if m.Reply == "" {
		return nil
	}
	reply.Subject = m.Reply
	return c.nc.PublishMsg(reply)
}

// fail writes the error into a reply: in the headers that NATS services use, and in the
// body, which people see.
func fail(reply *nats.Msg, err error) {
	var f failure
	f.Error.Code = codeOf(err)
	f.Error.Message = notice.Clip(job.Sentence(err))
	reply.Header.Set(micro.ErrorCodeHeader, strconv.Itoa(f.Error.Code))
	reply.Header.Set(micro.ErrorHeader, strings.Join(strings.Fields(f.Error.Message), " "))
	reply.Data, err = readable.JSON(f)
	if err != nil {
		reply.Data = []byte(`{"error":{"code":500,"message":"the error cannot be shown"}}`)
	}
}

func (e *endpoint) count(took time.Duration, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	st := &e.stats
	st.NumRequests++
	st.ProcessingTime += took
	st.AverageProcessingTime = st.ProcessingTime / time.Duration(st.NumRequests)
	if err != nil {
		st.NumErrors++
		st.LastError = fmt.Sprintf("%d:%s", codeOf(err), notice.Clip(job.Sentence(err)))
	}
}
