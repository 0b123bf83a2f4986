package numeric_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/numeric"
)

// units matches the error that a function's comment states.
var units = regexp.MustCompile(`\b0\.5\d+\b`)

// The page names the version and every exported function. For each function it has the
// error that the function's comment states.
func TestSpecificationIsComplete(t *testing.T) {
	text, err := os.ReadFile("SPECIFICATION.md")
	require.NoError(t, err)
	page := string(text)
	require.Contains(t, page, "Version `"+numeric.Version+"`")
	functions := 0
	for _, f := range exported(t) {
		functions++
		name := f.Name.Name
		if f.Recv != nil {
			receiver := f.Recv.List[0].Type
			if star, ok := receiver.(*ast.StarExpr); ok {
				receiver = star.X
			}
			name = receiver.(*ast.Ident).Name + "." + name
		}
		row := regexp.MustCompile("(?m)^(\\| )?`" + regexp.QuoteMeta(name) + "` .*$").FindString(page)
		require.NotEmpty(t, row, "SPECIFICATION.md has no row of %s", name)
		for _, bound := range units.FindAllString(f.Doc.Text(), -1) {
			require.Contains(t, row, bound+" ulp", name)
		}
	}
	require.Greater(t, functions, 40)
}

// Every link has a target.
func TestSpecificationLinks(t *testing.T) {
	page, err := os.ReadFile("SPECIFICATION.md")
	require.NoError(t, err)
	links := regexp.MustCompile(`\]\(([^)#]+)\)`).FindAllStringSubmatch(string(page), -1)
	require.Greater(t, len(links), 10)
	for _, l := range links {
		_, err := os.Stat(filepath.FromSlash(l[1]))
		require.NoError(t, err)
	}
}

// exported returns the exported functions and methods of package numeric.
func exported(t *testing.T) (functions []*ast.FuncDecl) {
	t.Helper()
	paths, err := fs.Glob(os.DirFS("."), "*.go")
	require.NoError(t, err)
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range f.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Name.IsExported() {
				functions = append(functions, f)
			}
		}
	}
	return functions
}
