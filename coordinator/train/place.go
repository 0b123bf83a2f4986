package train

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"tributary/shared/job"
	"tributary/shared/registry"
	"tributary/shared/spec"
)

// outFolder is the parent of the models' folders, unless --out names a folder.
const outFolder = "out"

// dir returns the folder of the job's model.
func (c *Command) dir(id job.ID) string {
	if c.Out != "" {
		return c.Out
	}
	return filepath.Join(outFolder, string(id))
}

// try checks, before the first step, that the model of a spec can be written to its
// folder without a loss. The model of another spec, or the training state of a stopped
// job, stays unless --force is set.
func (c *Command) try(asked *job.Spec) error {
	if asked.ID == "" && c.Out == "" {
		return tryFolder(outFolder) // the job's own folder is new
	}
	dir := c.dir(asked.ID)
	if err := tryFolder(dir); err != nil || c.Force {
		return err
	}
	if card, err := registry.LoadCard(dir); c.More > 0 && err == nil { // the new job's spec is another one
		return fmt.Errorf("--out: %s holds the model of job %s: use --force to overwrite it", dir, card.ID)
	}
	if err := occupied(dir, asked); err != nil {
		return err
	}
	kept, err := readState(dir)
	switch {
	case errors.Is(err, job.ErrNotFound), c.Resume, err == nil && kept.State == job.Succeeded: // restore reads it again
		return nil
	case err != nil:
		return fmt.Errorf("--out: the training state of a job cannot be read (%w): use --force to begin again", err)
	default:
		return fmt.Errorf("--out: %s holds the training state of job %s after step %d: use --resume to go on from there, or --force to begin again",
			dir, kept.ID, kept.Checkpoints[0].Step)
	}
}

// occupied fails if a folder holds the model of another spec. The same spec makes the
// same model, whatever its id.
func occupied(dir string, asked *job.Spec) error {
	card, err := registry.LoadCard(dir)
	if errors.Is(err, job.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("--out: %s holds a model that cannot be read (%w): use --force to overwrite it", dir, err)
	}
	_, want, err := spec.Canonical(asked)
	if err != nil {
		return err
	}
	if _, has, err := spec.Canonical(&card.Spec); err != nil || has != want {
		return fmt.Errorf("--out: %s holds the model of job %s, which has another spec: use --force to overwrite it", dir, card.ID)
	}
	return nil
}

// tryFolder creates a folder and writes into it. It removes what it created.
func tryFolder(dir string) error {
	_, statErr := os.Stat(dir)
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		var f *os.File
		if f, err = os.CreateTemp(dir, ".try-*"); err == nil {
			err = errors.Join(f.Close(), os.Remove(f.Name()))
		}
	}
	if errors.Is(statErr, os.ErrNotExist) {
		_ = os.Remove(dir)
	}
	if err != nil {
		return fmt.Errorf("--out: the model could not be written: %w", err)
	}
	return nil
}

// keep writes the finished model's files to their folder. If that has become impossible
// since try, keep saves the model elsewhere: in the registry of the given servers, or in
// another folder. It then sets misplaced to an error that names the place.
func (c *Command) keep(id job.ID, files map[string][]byte) (string, error) {
	dir := c.dir(id)
	err := registry.WriteFiles(dir, files)
	if err == nil {
		return dir, nil
	}
	if c.NATS != "" {
		c.misplaced = fmt.Errorf("--out: %w; the model is in the registry: nats object get tributary-models %s/%s", err, id, registry.WeightsFile)
		return "", err
	}
	for _, parent := range []string{os.TempDir(), "."} {
		rescue, rerr := os.MkdirTemp(parent, "tributary-"+string(id)+"-")
		if rerr == nil {
			rerr = registry.WriteFiles(rescue, files)
		}
		if rerr == nil {
			c.misplaced = fmt.Errorf("--out: %w; the model is in %s", err, rescue)
			return rescue, nil
		}
		err = errors.Join(err, rerr)
	}
	c.misplaced = fmt.Errorf("--out: %w; the model is lost", err)
	return "", err
}
