package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"

	"tributary/shared/job"
	"tributary/shared/notice"
)

// Notices sends and receives notices over core NATS. A notice arrives at most once, at the
// programs that listen at that time.
type Notices struct{ c *Conn }

// Notices returns the connection's notices.
func (c *Conn) Notices() *Notices { return &Notices{c} }

// pendingNotices bounds the notices that wait for a slow handler, for each subscription.
// More are lost.
const pendingNotices = 1 << 16

// topic is a kind of notice about a job; its subject is tributary.<topic>.<job>.
type topic string

const (
	commitTopic      topic = "commit"
	evaluatedTopic   topic = "evaluated"
	snapshottedTopic topic = "snapshotted"
	checkpointTopic  topic = "checkpointed"
	failureTopic     topic = "failure"
	recallTopic      topic = "recall"
)

// subject returns the topic's subject for a job, or for every job when id is "".
func (t topic) subject(id job.ID) (string, error) {
	if id == "" {
		return "tributary." + string(t) + ".*", nil
	}
	if err := id.Validate(); err != nil {
		return "", fmt.Errorf("%s notice: job: %w", t, err)
	}
	return "tributary." + string(t) + "." + string(id), nil
}

// PublishCommit announces a commit.
func (n *Notices) PublishCommit(v notice.Commit) error { return publishAbout(n.c, commitTopic, v) }

// PublishEvaluated announces a stored evaluation result.
func (n *Notices) PublishEvaluated(v notice.Evaluated) error {
	return publishAbout(n.c, evaluatedTopic, v)
}

// PublishSnapshotted announces a snapshot.
func (n *Notices) PublishSnapshotted(v notice.Snapshotted) error {
	return publishAbout(n.c, snapshottedTopic, v)
}

// PublishCheckpointed announces a checkpoint.
func (n *Notices) PublishCheckpointed(v notice.Checkpointed) error {
	return publishAbout(n.c, checkpointTopic, v)
}

// PublishFailure announces that a task failed.
func (n *Notices) PublishFailure(v notice.Failure) error { return publishAbout(n.c, failureTopic, v) }

// PublishRecall tells workers which tasks of several steps they must stop.
func (n *Notices) PublishRecall(v notice.Recall) error { return publishAbout(n.c, recallTopic, v) }

// PublishBeat sends a worker's sign of life.
func (n *Notices) PublishBeat(v notice.Beat) error { return publish(n.c, beatSubject, v) }

// AnswerFor answers every request that asks whether a worker lives, until the connection
// ends or stop is called.
func (n *Notices) AnswerFor(worker string) (stop func(), err error) {
	return listen(n.c, workerPrefix+token(worker), func(m *nats.Msg) { _ = m.Respond(nil) }) // best effort: whoever gets no answer asks again
}

// Gone reports whether a worker's connection is certainly gone: the server says that nobody
// listens on the worker's subject. A worker that hangs is not gone.
func (n *Notices) Gone(ctx context.Context, worker string) bool {
	return n.c.gone(ctx, workerPrefix+token(worker))
}

// PublishAside asks a worker to take no tasks for a while.
func (n *Notices) PublishAside(v notice.Aside) error { return publish(n.c, asideSubject, v) }

// Call asks every worker to send a beat at once.
func (n *Notices) Call() error { return wrap("call the workers", n.c.nc.Publish(callSubject, nil)) }

// The Subscribe methods call handle for each notice, one at a time and in the order of
// arrival, until stop is called. The id "" means every job. handle must not block for long,
// because notices over pendingNotices are lost.

// SubscribeCommits listens for commits.
func (n *Notices) SubscribeCommits(id job.ID, handle func(notice.Commit)) (stop func(), err error) {
	return subscribeAbout(n.c, commitTopic, id, handle)
}

// SubscribeEvaluated listens for stored evaluation results.
func (n *Notices) SubscribeEvaluated(id job.ID, handle func(notice.Evaluated)) (stop func(), err error) {
	return subscribeAbout(n.c, evaluatedTopic, id, handle)
}

// SubscribeSnapshotted listens for snapshots.
func (n *Notices) SubscribeSnapshotted(id job.ID, handle func(notice.Snapshotted)) (stop func(), err error) {
	return subscribeAbout(n.c, snapshottedTopic, id, handle)
}

// SubscribeCheckpointed listens for checkpoints.
func (n *Notices) SubscribeCheckpointed(id job.ID, handle func(notice.Checkpointed)) (stop func(), err error) {
	return subscribeAbout(n.c, checkpointTopic, id, handle)
}

// SubscribeFailures listens for failed tasks.
func (n *Notices) SubscribeFailures(id job.ID, handle func(notice.Failure)) (stop func(), err error) {
	return subscribeAbout(n.c, failureTopic, id, handle)
}

// SubscribeRecalls listens for recalled tasks.
func (n *Notices) SubscribeRecalls(id job.ID, handle func(notice.Recall)) (stop func(), err error) {
	return subscribeAbout(n.c, recallTopic, id, handle)
}

// SubscribeBeats listens for workers' signs of life.
func (n *Notices) SubscribeBeats(handle func(notice.Beat)) (stop func(), err error) {
	return subscribe(n.c, beatSubject, handle)
}

// SubscribeAsides listens for workers that must take no tasks for a while.
func (n *Notices) SubscribeAsides(handle func(notice.Aside)) (stop func(), err error) {
	return subscribe(n.c, asideSubject, handle)
}

// SubscribeCalls listens for requests that every worker send a beat at once.
func (n *Notices) SubscribeCalls(handle func()) (stop func(), err error) {
	return listen(n.c, callSubject, func(*nats.Msg) { handle() })
}

func publishAbout[T notice.Notice](c *Conn, t topic, v T) error {
	subject, err := t.subject(v.About())
	if err != nil {
		return err
	}
	return publish(c, subject, v)
}

func publish[T notice.Notice](c *Conn, subject string, v T) error {
	if err := v.Validate(); err != nil {
		return fmt.Errorf("publish on %s: %w", subject, err)
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("publish on %s: %w", subject, err)
	}
	return wrap("publish on "+subject, c.nc.Publish(subject, data))
}

func subscribeAbout[T notice.Notice](c *Conn, t topic, id job.ID, handle func(T)) (func(), error) {
	subject, err := t.subject(id)
	if err != nil {
		return nil, err
	}
	return subscribe(c, subject, handle)
}

func subscribe[T notice.Notice](c *Conn, subject string, handle func(T)) (func(), error) {
	return listen(c, subject, func(m *nats.Msg) {
		v, err := decodeNotice[T](m.Subject, m.Data)
		if err != nil {
			c.log.Debug().Err(err).Str("subject", m.Subject).Msg("dropped a notice")
			return
		}
		handle(v)
	})
}

// decodeNotice decodes a notice that arrived on subject. The notice must be about the job
// that the subject names.
func decodeNotice[T notice.Notice](subject string, data []byte) (T, error) {
	var v T
	if len(data) > notice.MaxBytes {
		return v, fmt.Errorf("notice has %d bytes; at most %d are allowed: %w", len(data), notice.MaxBytes, job.ErrInvalid)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return v, fmt.Errorf("decode notice: %w: %w", err, job.ErrInvalid)
	}
	if err := v.Validate(); err != nil {
		return v, fmt.Errorf("decode notice: %w", err)
	}
	if id := v.About(); id != "" && !strings.HasSuffix(subject, "."+string(id)) {
		return v, fmt.Errorf("notice on %s is about job %s: %w", subject, id, job.ErrInvalid)
	}
	return v, nil
}

func listen(c *Conn, subject string, handle nats.MsgHandler) (func(), error) {
	sub, err := c.nc.Subscribe(subject, func(m *nats.Msg) { c.contain(subject, func() { handle(m) }) })
	if err != nil {
		return nil, wrap("subscribe to "+subject, err)
	}
	if err := sub.SetPendingLimits(pendingNotices, pendingNotices*1024); err != nil {
		return nil, wrap("subscribe to "+subject, err)
	}
	return func() { _ = sub.Unsubscribe() }, nil // an error means that the subscription has ended already
}
