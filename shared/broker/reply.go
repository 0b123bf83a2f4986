package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"tributary/shared/job"
	"tributary/shared/notice"
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

// failure is the body of a reply that says what went wrong.
type failure struct {
	Error struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// finish replies to a request and counts it.
func (s *Service) finish(e *endpoint, m *nats.Msg, start time.Time, data []byte, err error) {
	reply := nats.NewMsg(m.Reply)
	reply.Data = data
	if limit := s.c.nc.MaxPayload(); err == nil && limit > 0 && int64(len(data)) > limit {
		err = fmt.Errorf("the reply has %d bytes; the server's max_payload allows %d: %w", len(data), limit, job.ErrFull)
	}
	if err != nil {
		fail(reply, err)
	}
	e.count(time.Since(start), err) // before the reply, so that whoever has it finds it counted
	if m.Reply == "" {
		return
	}
	if err := s.c.nc.PublishMsg(reply); err != nil {
		s.c.log.Warn().Err(err).Str("endpoint", e.Name).Msg("a reply cannot be sent")
	}
}

// fail makes a reply say what went wrong: in the headers of NATS services, and
// in the body, which is what people see.
func fail(reply *nats.Msg, err error) {
	var f failure
	f.Error.Code = codeOf(err)
	f.Error.Message = notice.Clip(job.Sentence(err))
	reply.Header.Set(micro.ErrorCodeHeader, strconv.Itoa(f.Error.Code))
	reply.Header.Set(micro.ErrorHeader, strings.Join(strings.Fields(f.Error.Message), " "))
	reply.Data, err = json.Marshal(f)
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
