package numeric_test

import (
	"bufio"
	"bytes"
	"flag"
	"go/ast"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// architectures are those whose machine code is checked. Each one costs a compilation of
// the standard library.
var architectures = flag.String("architectures", "", "read the machine code for these, of arm64, riscv64, ppc64le, s390x, loong64 and amd64v3, with commas; "+
	"without it, for arm64, except of the packages that decode Arrow and Parquet")

// heavy are the guarded packages that decode Arrow and Parquet, and what imports them.
var heavy = []string{"tributary/shared/dataset/arrow", "tributary/shared/dataset/parquet", "tributary/coordinator/ingest"}

// foreign returns the architectures to check and the guarded packages to check for them.
// Two thirds of a compilation are for Arrow, Parquet and net/http. The tests do it only if
// asked for architectures, as .ci/run does.
func foreign(t *testing.T) (archs, packages []string) {
	t.Helper()
	if *architectures != "" {
		return strings.Split(*architectures, ","), guarded
	}
	all, err := exec.CommandContext(t.Context(), "go", append([]string{"list"}, guarded...)...).Output()
	require.NoError(t, err)
	return []string{"arm64"}, slices.DeleteFunc(strings.Fields(string(all)), func(p string) bool { return slices.Contains(heavy, p) })
}

// fused matches, in a listing, an instruction that multiplies and adds floats with one
// rounding, and the line of source that it belongs to. It uses the names of Go's
// assemblers.
var fused = regexp.MustCompile(`^\t0x[0-9a-f]+ \d+ \((.+:\d+)\)\t(FN?M(?:ADD|SUB)[SDF]?|WFN?M[AS][DS]B|VFN?M(?:ADD|SUB)\d+S[SD])\t`)

// The compiler fuses nothing on CPUs where it may fuse: every fused instruction belongs to
// a math.FMA in its line.
func TestMachineCodeIsNotFused(t *testing.T) {
	archs, packages := foreign(t)
	for _, arch := range archs {
		found, meant := fusions(t, arch, packages...)
		require.Empty(t, found, "for %s", arch)
		require.Greater(t, meant, 20, "the listing for %s shows no fused instruction where math.FMA is called: is it read rightly?", arch)
	}
}

// The guard detects what the compiler fuses in the fixture.
func TestGuardSeesFusion(t *testing.T) {
	archs, _ := foreign(t)
	for _, arch := range archs {
		found, meant := fusions(t, arch, "./testdata/guard")
		require.Greater(t, len(found), 4, "%s: %q", arch, found)
		require.Equal(t, 1, meant, arch)
	}
}

// fusions compiles packages. It returns the lines of source that have a fused instruction,
// and how many of them have it because they call math.FMA.
func fusions(t *testing.T, arch string, packages ...string) (found []string, meant int) {
	t.Helper()
	sources, listing := load(t, arch, withListing, packages...)
	calls := map[string]bool{} // lines with a call of math.FMA
	for _, s := range sources {
		for _, f := range s.files {
			ast.Inspect(f, func(n ast.Node) bool {
				if e, ok := n.(*ast.SelectorExpr); ok {
					if pkg, name := s.used(e); pkg == "math" && name == "FMA" {
						calls[s.at(e)] = true
					}
				}
				return true
			})
		}
	}
	seen := map[string]bool{}
	for lines := bufio.NewScanner(bytes.NewReader(listing)); lines.Scan(); {
		m := fused.FindStringSubmatch(lines.Text())
		if m == nil || seen[m[1]] {
			continue
		}
		seen[m[1]] = true
		if calls[m[1]] {
			meant++
		} else {
			found = append(found, m[1]+": "+m[2])
		}
	}
	slices.Sort(found)
	return found, meant
}
