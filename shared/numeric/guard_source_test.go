package numeric_test

import (
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

// load type-checks packages for an architecture.
func load(t *testing.T, arch string, patterns ...string) []source {
	t.Helper()
	c := exec.CommandContext(t.Context(), "go", append([]string{"list", "-deps", "-export", "-json=ImportPath,Dir,Export,GoFiles,DepOnly"}, patterns...)...)
	c.Env, c.Stderr = append(os.Environ(), "GOARCH="+arch, "CGO_ENABLED=0"), os.Stderr
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
	require.NoError(t, c.Wait())
	fset := token.NewFileSet()
	from := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	loaded := make([]source, len(wanted))
	for i, p := range wanted {
		loaded[i] = check(t, fset, from, arch, p)
	}
	return loaded
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
