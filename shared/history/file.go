package history

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"tributary/shared/job"
)

// FileName is the name of the history's file in a model.
const FileName = "steps.bin"

// Format of the file, little-endian: 64 + 8 bytes, and 8 for each step.
//
//	0   magic "TRH", kind 'm'
//	4   version        uint32
//	8   chunk length   uint64   parameters in a chunk, from which the chain follows
//	16  steps          uint64
//	24  plan           32 bytes, the digest
//	56  zeros          8 bytes
//	64  marks          8 bytes for each step; zeros where none is known
//	end xxHash64 of all before
const (
	fileMagic   = "TRHm"
	fileVersion = 1
	fileHead    = 64
	fileTail    = 8
)

// MaxFile bounds a history's file, in bytes.
const MaxFile = fileHead + MaxSteps*int64(MarkBytes) + fileTail

// File is the content of the history file of a finished job.
type File struct {
	Plan     job.Digest
	ChunkLen int
	History  History
}

// Encode returns the bytes of the file, for a job of so many steps. It fails with
// job.ErrInvalid when the plan is no digest, or when the history has more steps.
func (f *File) Encode(steps int64) ([]byte, error) {
	plan, err := hex.DecodeString(string(f.Plan))
	if err != nil || len(plan) != 32 {
		return nil, fmt.Errorf("encode %s: plan %.80q is not a digest: %w", FileName, string(f.Plan), job.ErrInvalid)
	}
	if steps < 0 || steps > MaxSteps || f.History.Steps() > steps {
		return nil, fmt.Errorf("encode %s: marks of %d steps for a job of %d: want at most %d: %w", FileName, f.History.Steps(), steps, MaxSteps, job.ErrInvalid)
	}
	data := make([]byte, 0, fileHead+int64(MarkBytes)*steps+fileTail)
	data = append(data, fileMagic...)
	data = binary.LittleEndian.AppendUint32(data, fileVersion)
	data = binary.LittleEndian.AppendUint64(data, uint64(f.ChunkLen))
	data = binary.LittleEndian.AppendUint64(data, uint64(steps))
	data = append(append(data, plan...), make([]byte, 8)...)
	data = AppendMarks(data, f.History.Marks(steps))
	return binary.LittleEndian.AppendUint64(data, xxhash.Sum64(data)), nil
}

// Decode reads the bytes of a file. It fails with job.ErrCorrupt when they are damaged, and
// with job.ErrInvalid when they have another version.
func Decode(data []byte) (*File, error) {
	if len(data) < fileHead+fileTail || string(data[:4]) != fileMagic {
		return nil, fmt.Errorf("%s: it begins with %.4q and has %d bytes; want %q and at least %d: %w",
			FileName, data[:min(4, len(data))], len(data), fileMagic, fileHead+fileTail, job.ErrCorrupt)
	}
	if v := binary.LittleEndian.Uint32(data[4:]); v != fileVersion {
		return nil, fmt.Errorf("%s has version %d; this program reads version %d: %w", FileName, v, fileVersion, job.ErrInvalid)
	}
	body, tail := data[:len(data)-fileTail], data[len(data)-fileTail:]
	if got, want := xxhash.Sum64(body), binary.LittleEndian.Uint64(tail); got != want {
		return nil, fmt.Errorf("%s: its checksum is %016x, its bytes have %016x: %w", FileName, want, got, job.ErrCorrupt)
	}
	chunk, steps := binary.LittleEndian.Uint64(body[8:]), binary.LittleEndian.Uint64(body[16:])
	if steps > MaxSteps || uint64(len(body)-fileHead) != steps*uint64(MarkBytes) || chunk < 1 || chunk > 1<<40 {
		return nil, fmt.Errorf("%s: %d bytes of marks for %d steps, chunks of %d parameters: %w", FileName, len(body)-fileHead, steps, chunk, job.ErrCorrupt)
	}
	marks, err := DecodeMarks(body[fileHead:])
	if err != nil {
		return nil, err
	}
	f := &File{Plan: job.Digest(hex.EncodeToString(body[24:56])), ChunkLen: int(chunk)}
	return f, f.History.Add(0, marks)
}
