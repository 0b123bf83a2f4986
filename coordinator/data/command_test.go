package data

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/coordinator/serve"
	"tributary/shared/blob"
	"tributary/shared/broker"
	"tributary/shared/broker/embedded"
)

func TestCommands(t *testing.T) {
	server, err := embedded.Start(embedded.Config{Dir: t.TempDir(), Log: zerolog.Nop()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	conn, err := broker.Connect(t.Context(), broker.Config{Name: t.Name(), InProcess: server}, zerolog.Nop())
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	k := serve.Catalog(conn, blob.NewMemory(0))
	var out bytes.Buffer
	text := &Servers{JSON: true}
	require.Error(t, (&ListCommand{*text}).list(t.Context(), k, &out), "a missing bucket is no empty one")
	require.NoError(t, conn.Setup(t.Context(), broker.SetupConfig{}))
	require.NoError(t, (&ListCommand{*text}).list(t.Context(), k, &out))
	require.JSONEq(t, `{"datasets":[]}`, out.String())

	dir := t.TempDir()
	file := filepath.Join(dir, "a.csv")
	require.NoError(t, os.WriteFile(file, []byte("x,y\n1,2\n"), 0o600))
	out.Reset()
	require.NoError(t, (&PutCommand{Name: "line", File: file}).put(t.Context(), k, &out))
	require.Contains(t, out.String(), `"version":1`)
	require.ErrorContains(t, (&PutCommand{Name: "line", File: dir}).put(t.Context(), k, &out), "--format: missing")
	require.ErrorContains(t, (&PutCommand{Name: "line", File: dir, Format: "csv"}).put(t.Context(), k, &out), "not a regular file")
	require.ErrorContains(t, (&PutCommand{Name: "line", File: file + "x.csv"}).put(t.Context(), k, &out), "no such file")
	out.Reset()
	require.NoError(t, (&ListCommand{}).list(t.Context(), k, &out))
	require.Contains(t, out.String(), `"name":"line"`)
	copied := filepath.Join(dir, "copy.csv")
	require.NoError(t, (&GetCommand{Dataset: "line@1", Out: copied}).get(t.Context(), k, &out))
	data, err := os.ReadFile(copied)
	require.NoError(t, err)
	require.Equal(t, "x,y\n1,2\n", string(data))
	require.ErrorContains(t, (&GetCommand{Dataset: "lime"}).get(t.Context(), k, &out), `did you mean "line"?`)
	require.ErrorContains(t, (&RemoveCommand{Dataset: "line"}).remove(t.Context(), k, &out), "want the version to remove")
	out.Reset()
	require.NoError(t, (&RemoveCommand{Dataset: "line@1"}).remove(t.Context(), k, &out))
	require.Contains(t, out.String(), `"removed":true`)
}
