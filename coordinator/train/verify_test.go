package train

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/coordinator/ingest"
	"tributary/coordinator/place"
	"tributary/coordinator/verify"
	"tributary/shared/history"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/lifecycle"
	"tributary/shared/registry"
)

// verified verifies a saved model.
func verified(t *testing.T, dir string, r verify.Request) (job.Verification, error) {
	t.Helper()
	s, err := verify.OpenFolder(t.Context(), dir, &ingest.Roots{Anywhere: true, Outside: place.Outside{}}, func(string) {})
	if err != nil {
		return job.Verification{}, err
	}
	return (&verify.Verifier{}).Verify(t.Context(), s, r)
}

// A model that a fleet has trained verifies without any server; a change of any of its
// files is reported.
func TestASavedModelIsVerified(t *testing.T) {
	o, dir := trained(t, short, 3)
	v, err := verified(t, dir, verify.Request{})
	require.NoError(t, err)
	require.Equal(t, job.Verified, v.State, "%+v", v)
	require.Equal(t, o.ParametersSHA256, v.ParametersSHA256)
	require.Equal(t, o.Steps, v.Compared)
	require.Empty(t, v.Notes)

	files := map[string][]byte{}
	for _, name := range []string{registry.CardFile, registry.WeightsFile, history.FileName} {
		files[name], err = os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
	}
	// changed is the model with some of its files changed.
	changed := func(change func(map[string][]byte)) string {
		some := maps.Clone(files)
		change(some)
		dir := t.TempDir()
		require.NoError(t, registry.WriteFiles(dir, some))
		return dir
	}
	card := func(change func(c map[string]any)) string {
		return changed(func(files map[string][]byte) {
			var c map[string]any
			require.NoError(t, json.Unmarshal(files[registry.CardFile], &c))
			change(c)
			files[registry.CardFile], err = json.Marshal(c)
			require.NoError(t, err)
		})
	}
	weights := append([]byte(nil), files[registry.WeightsFile]...)
	weights[len(weights)-1] ^= 1
	steps := append([]byte(nil), files[history.FileName]...)
	steps[100] ^= 1

	for want, dir := range map[string]string{
		"model.safetensors has parameters ":                                    changed(func(f map[string][]byte) { f[registry.WeightsFile] = weights }),
		"steps.bin: its checksum is ":                                          changed(func(f map[string][]byte) { f[history.FileName] = steps }),
		`computed with the arithmetic "other"`:                                 card(func(c map[string]any) { c["numerics"] = "other" }),
		"was trained on \"00\": the source has changed":                        card(func(c map[string]any) { c["dataset"] = "00" }),
		"says 25 steps; its spec and data take ":                               card(func(c map[string]any) { c["steps"] = 25 }),
		"the spec, the initial weights or the chunk length (65536) are others": card(func(c map[string]any) { c["spec"].(map[string]any)["batch"] = 255 }),
		"read its data again: data.source ": card(func(c map[string]any) {
			c["spec"].(map[string]any)["data"].(map[string]any)["source"] = "deployments/data/nothing.csv"
		}),
	} {
		_, err := verified(t, dir, verify.Request{})
		require.ErrorContains(t, err, want)
	}

	// The weights were changed together with the digest in the card.
	model := loaded(t, dir)
	model.Weights.Trained[3]++
	forged, err := registry.New(model.Card, model.Weights)
	require.NoError(t, err)
	some, err := registry.Encode(forged)
	require.NoError(t, err)
	v, err = verified(t, changed(func(f map[string][]byte) { maps.Copy(f, some) }), verify.Request{})
	require.NoError(t, err)
	require.Equal(t, job.Differs, v.State)
	require.Equal(t, "parameters", v.Difference.What)
	require.Contains(t, v.Difference.Message, "every step before is as recorded, so the parameters were changed afterwards")

	// One mark of the history was changed.
	f, err := history.Decode(files[history.FileName])
	require.NoError(t, err)
	marks := f.History.Marks(o.Steps)
	marks[7] = ledger.Mark{1}
	other := history.File{Plan: f.Plan, ChunkLen: f.ChunkLen}
	require.NoError(t, other.History.Add(0, marks))
	data, err := other.Encode(o.Steps)
	require.NoError(t, err)
	dir7 := changed(func(f map[string][]byte) { f[history.FileName] = data })
	v, err = verified(t, dir7, verify.Request{Steps: []int64{9}})
	require.NoError(t, err)
	require.EqualValues(t, 7, v.Difference.Step)
	v, err = verified(t, dir7, verify.Request{Steps: []int64{6}})
	require.NoError(t, err)
	require.Equal(t, job.Verified, v.State)

	// The command reports this in its last line, and fails unless everything is as
	// recorded.
	v, err = command(t, dir)
	require.NoError(t, err)
	require.Equal(t, job.Verified, v.State)
	v, err = command(t, dir7)
	require.ErrorContains(t, err, "not as recorded: step 7: the record has mark 0100000000000000")
	require.Equal(t, job.Differs, v.State)
	require.EqualValues(t, 7, v.Difference.Step)
	v, err = command(t, filepath.Join(dir, registry.CardFile))
	require.ErrorContains(t, err, "want a job's id or the folder of a saved model")
	require.Equal(t, job.Unknown, v.State)

	// The model is from before there were histories.
	old := changed(func(f map[string][]byte) { delete(f, history.FileName) })
	_, err = verified(t, old, verify.Request{Steps: []int64{3}})
	require.ErrorContains(t, err, "steps 0 to 3 were computed again, but there is no mark to compare them with")
	v, err = verified(t, old, verify.Request{})
	require.NoError(t, err)
	require.Equal(t, job.Verified, v.State)
	require.Zero(t, v.Compared)
	require.Contains(t, v.Notes[0], "there is no steps.bin in ")
}

// command runs the verify command and returns the last line that it prints.
func command(t *testing.T, target string) (v job.Verification, err error) {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	defer out.Close()
	stdout := os.Stdout
	os.Stdout = out
	defer func() { os.Stdout = stdout }()
	failed := (&verify.Command{Target: target}).Run(lifecycle.Contexts{Soft: t.Context(), Hard: t.Context()})
	data, err := os.ReadFile(out.Name())
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &v))
	return v, failed
}
