package numeric_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// source is a type-checked package without its tests.
type source struct {
	*types.Info
	fset  *token.FileSet
	files []*ast.File
}

// listed is the output of go list for one package.
type listed struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
	DepOnly                 bool
}

// withListing makes the compiler list the machine code of this module's packages.
const withListing = "-gcflags=tributary/...=-S"

// load type-checks packages for an architecture, such as arm64 or amd64v3. It also returns
// what the compiler prints, which is a listing with the flag withListing. The type check
// needs compiled packages. So it costs least with the flags of an earlier compilation, which
// the go command keeps in its cache.
func load(t *testing.T, arch, flag string, patterns ...string) (loaded []source, listing []byte) {
	t.Helper()
	args, env := []string{"list", flag, "-deps", "-export", "-json=ImportPath,Dir,Export,GoFiles,DepOnly"}, os.Environ()
	if arch != runtime.GOARCH {
		env = append(env, "CGO_ENABLED=0")
	}
	if base, level, ok := strings.Cut(arch, "v"); ok && base == "amd64" {
		arch, env = base, append(env, "GOAMD64=v"+level)
	}
	c := exec.CommandContext(t.Context(), "go", append(args, patterns...)...)
	var errs bytes.Buffer
	c.Env, c.Stderr = append(env, "GOARCH="+arch), &errs
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	exports, wanted := map[string]string{}, []listed(nil)
	for d := json.NewDecoder(out); ; {
		var p listed
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		exports[p.ImportPath] = p.Export
		if !p.DepOnly {
			wanted = append(wanted, p)
		}
	}
	require.NoError(t, c.Wait(), "%.2000s", &errs)
	fset := token.NewFileSet()
	from := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	loaded = make([]source, len(wanted))
	for i, p := range wanted {
		loaded[i] = check(t, fset, from, arch, p)
	}
	return loaded, errs.Bytes()
}

func check(t *testing.T, fset *token.FileSet, from types.Importer, arch string, p listed) source {
	t.Helper()
	s := source{fset: fset, Info: &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{},
	}}
	_, err := os.ReadDir(p.Dir) // reads the directory, so that a new file invalidates the cached result of this test
	require.NoError(t, err)
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		require.NoError(t, err)
		s.files = append(s.files, f)
	}
	conf := types.Config{Importer: from, Sizes: types.SizesFor("gc", arch)}
	_, err = conf.Check(p.ImportPath, fset, s.files, s.Info)
	require.NoError(t, err)
	return s
}

// used returns the package path and the name of the package-level object that e names.
func (s source) used(e ast.Expr) (pkg, name string) {
	sel, ok := ast.Unparen(e).(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	o := s.Uses[sel.Sel]
	if o == nil || o.Pkg() == nil || o.Parent() != o.Pkg().Scope() {
		return "", ""
	}
	return o.Pkg().Path(), o.Name()
}

// floats reports whether e is computed in floating point at run time.
func (s source) floats(e ast.Expr) bool {
	tv := s.Types[e]
	if tv.Type == nil || tv.Value != nil {
		return false
	}
	return anyTerm(tv.Type, func(b *types.Basic) bool { return b.Info()&(types.IsFloat|types.IsComplex) != 0 })
}

// anyTerm reports whether one of the types that t stands for fulfils the condition. These
// types are t itself or those of a type parameter's constraint.
func anyTerm(t types.Type, ask func(*types.Basic) bool) bool {
	switch u := t.Underlying().(type) {
	case *types.Basic:
		return ask(u)
	case *types.Interface:
		for embedded := range u.EmbeddedTypes() {
			if anyTerm(embedded, ask) {
				return true
			}
		}
	case *types.Union:
		for term := range u.Terms() {
			if anyTerm(term.Type(), ask) {
				return true
			}
		}
	}
	return false
}

// at returns the file and the line of a node.
func (s source) at(n ast.Node) string {
	p := s.fset.Position(n.Pos())
	return fmt.Sprintf("%s:%d", p.Filename, p.Line)
}
