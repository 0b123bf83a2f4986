package verify

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/lifecycle"
	"tributary/shared/numeric/isa"
	"tributary/shared/plan"
	"tributary/shared/wire"
)

// RecomputeName is the name of the command that a program runs in another process of
// itself.
const RecomputeName = "recompute"

// RecomputeCommand answers a Question on standard input with an Opinion on standard
// output. It runs in another process of the same program with other kernels, because a
// process cannot change its kernels.
type RecomputeCommand struct{}

// Run answers the question.
func (*RecomputeCommand) Run(ctx lifecycle.Contexts) error {
	return Recompute(ctx.Soft, os.Stdin, os.Stdout)
}

// Recompute reads a question and writes the opinion of this process's kernels.
func Recompute(ctx context.Context, in io.Reader, out io.Writer) error {
	q, err := readQuestion(bufio.NewReader(in))
	if err != nil {
		return fmt.Errorf("read the question: %w", err)
	}
	store := blob.NewMemory(0)
	for _, b := range q.Blocks {
		if _, err := store.Put(ctx, b); err != nil {
			return err
		}
	}
	p := *q.Plan
	network, err := p.Network()
	if err != nil {
		return err
	}
	if network.Frozen() == 0 {
		p.Init = "" // the question has the parameters
	}
	e, err := gradient.Compile(ctx, &p, store, dataset.NewCache(store, blockCache))
	if err != nil {
		return err
	}
	if len(q.Params) != e.Network.Params() {
		return fmt.Errorf("%d parameters: the plan has %d: %w", len(q.Params), e.Network.Params(), job.ErrInvalid)
	}
	o, err := computeOpinion(ctx, e, q.Step, q.Params)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(o)
}

// A question is a sequence of frames: the step in decimal, the plan, the parameters, and
// each block. A frame is its length in 8 bytes, little-endian, and that many bytes of
// content.
const maxFrame = 1 << 36

func frame(w io.Writer, data []byte) error {
	_, err := w.Write(append(binary.LittleEndian.AppendUint64(nil, uint64(len(data))), data...))
	return err
}

func (q *Question) write(w io.Writer) error {
	p, _, err := q.Plan.Encode()
	if err != nil {
		return err
	}
	for _, data := range append([][]byte{fmt.Append(nil, q.Step), p, wire.AppendFloats(nil, q.Params)}, q.Blocks...) {
		if err := frame(w, data); err != nil {
			return err
		}
	}
	return nil
}

func readQuestion(r io.Reader) (*Question, error) {
	var frames [][]byte
	for {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		n := binary.LittleEndian.Uint64(head[:])
		if n > maxFrame {
			return nil, fmt.Errorf("frame of %d bytes: want at most %d: %w", n, uint64(maxFrame), job.ErrInvalid)
		}
		var data bytes.Buffer
		if _, err := io.CopyN(&data, r, int64(n)); err != nil {
			return nil, err
		}
		frames = append(frames, data.Bytes())
	}
	if len(frames) < 3 {
		return nil, fmt.Errorf("%d frames: want a step, a plan, parameters and blocks: %w", len(frames), job.ErrInvalid)
	}
	q := &Question{Params: make([]float32, len(frames[2])/4), Blocks: frames[3:]}
	if _, err := fmt.Sscan(string(frames[0]), &q.Step); err != nil {
		return nil, fmt.Errorf("step %.40q: %w", frames[0], err)
	}
	var err error
	q.Plan, err = plan.Decode(frames[1])
	wire.Floats(q.Params, frames[2][:4*len(q.Params)])
	return q, err
}

// Elsewhere returns a Second that runs this program in another process, with the given
// arguments and other kernels. It returns nil if there are no other kernels. Only a
// program that has [RecomputeCommand] may use it.
func Elsewhere(args ...string) Second {
	other := isa.Go
	if isa.Chosen() == isa.Go {
		other = isa.Available()[0]
	}
	if other == isa.Chosen() {
		return nil
	}
	return func(ctx context.Context, q Question) (*Opinion, error) {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		var in, out, failed bytes.Buffer
		if err := q.write(&in); err != nil {
			return nil, err
		}
		c := exec.CommandContext(ctx, self, args...)
		c.Env = append(os.Environ(), isa.Variable+"="+string(other))
		c.Stdin, c.Stdout, c.Stderr = &in, &out, &failed
		if err := c.Run(); err != nil {
			return nil, fmt.Errorf("run %s on the %s kernels: %w: %.400s", self, other, err, failed.Bytes())
		}
		var o Opinion
		if err := json.Unmarshal(out.Bytes(), &o); err != nil {
			return nil, fmt.Errorf("read the answer of %s: %w", self, err)
		}
		return &o, nil
	}
}
