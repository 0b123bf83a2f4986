package job

import (
	"fmt"
	"math/bits"
	"regexp"
	"slices"
	"strings"
)

// Capability names something that a job needs from a worker and that not every worker
// has: an operation that older programs do not know, or much memory. What the first
// version with capabilities can do is the base set; it needs no capability.
type Capability string

// Class says which workers a job's tasks are for, as one word: the newest operation that
// the job needs and its memory class, joined by '+'. A program that knows an operation
// knows all older ones, so the newest one is enough. "" is the base class, for all
// workers.
type Class string

// classPattern matches a class: words of a-z, 0-9 and '-', joined by '+'.
var classPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?(\+[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?)?$`)

// Validate fails if c cannot be a NATS subject token.
func (c Class) Validate() error {
	if c != "" && !classPattern.MatchString(string(c)) {
		return fmt.Errorf("class %.80q: want one or two words of a-z, 0-9 and '-', joined by '+': %w", string(c), ErrInvalid)
	}
	return nil
}

// Memory classes are for jobs that need at least 1, 4, 16 or 64 GiB of a worker's memory.
// Smaller jobs have no memory class, so most jobs are of the base class.
const (
	memoryPrefix   = "memory-"
	firstMemory    = 30 // log₂ of bytes
	lastMemory     = 36
	memoryDistance = 2
)

// memoryClass returns the name of the class of 2^log2 bytes. log2 is firstMemory plus a
// multiple of memoryDistance.
func memoryClass(log2 int) Capability {
	return Capability(fmt.Sprintf("%s%dgib", memoryPrefix, 1<<(log2-firstMemory)))
}

// MemoryClasses lists the memory classes that a worker serves if it has so many bytes for
// tasks, the smallest first. It lists a class if the worker can hold the smallest job of
// the class. A worker that does not know its memory (0) serves only the base class.
func MemoryClasses(memory int64) []Capability {
	var all []Capability
	for log2 := firstMemory; log2 <= lastMemory && bits.Len64(uint64(max(0, memory))) > log2; log2 += memoryDistance {
		all = append(all, memoryClass(log2))
	}
	return all
}

// ClassFor returns the class of a job that needs these operations, the newest last, and
// memory bytes in a worker.
func ClassFor(operations []Capability, memory int64) Class {
	var words []string
	if n := len(operations); n > 0 {
		words = append(words, string(operations[n-1]))
	}
	if classes := MemoryClasses(memory); len(classes) > 0 {
		words = append(words, string(classes[len(classes)-1]))
	}
	return Class(strings.Join(words, "+"))
}

// AnyMemory returns the class without its memory class.
func (c Class) AnyMemory() Class {
	operation, _, _ := strings.Cut(string(c), "+")
	if strings.HasPrefix(operation, memoryPrefix) {
		return ""
	}
	return Class(operation)
}

// Within reports whether a worker with these capabilities serves the class.
func (c Class) Within(capabilities []Capability) bool {
	for word := range strings.SplitSeq(string(c), "+") {
		if c != "" && !slices.Contains(capabilities, Capability(word)) {
			return false
		}
	}
	return true
}

// Classes lists the classes, beyond the base class, of a worker that knows these
// operations and has memory bytes for tasks.
func Classes(operations []Capability, memory int64) []Class {
	var all []Class
	for _, operation := range append([]Capability{""}, operations...) {
		for _, amount := range append([]Capability{""}, MemoryClasses(memory)...) {
			if class := Class(strings.Trim(string(operation)+"+"+string(amount), "+")); class != "" {
				all = append(all, class)
			}
		}
	}
	return all
}
