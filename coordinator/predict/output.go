package predict

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// extension returns the extension of a name in small letters.
func extension(name string) string { return strings.ToLower(filepath.Ext(name)) }

// form returns the form of the output: text, csv, jsonl, parquet or json.
func (c *Command) form() (string, error) {
	switch {
	case c.JSON:
		return "json", nil
	case c.OutputFormat != "":
		return c.OutputFormat, nil
	case c.Output == "":
		return "text", nil
	}
	forms := map[string]string{".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet", ".txt": "text"}
	if form := forms[extension(c.Output)]; form != "" {
		return form, nil
	}
	return "", fmt.Errorf("--output: %.200q: want a name that ends in .csv, .jsonl, .ndjson, .parquet or .txt, or --output-format or --json", c.Output)
}

// written calls write with the file of a name. The file appears whole, or not at all if
// write fails. A device or a pipe is written directly.
func written(name string, write func(io.Writer) error) (err error) {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return fmt.Errorf("--output: %w", err)
		}
		return errors.Join(write(f), f.Close())
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := write(f); err != nil {
		return errors.Join(err, f.Close())
	}
	const readable = 0o644
	if err := errors.Join(f.Chmod(readable), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	return nil
}
