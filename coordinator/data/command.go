// Package data has the commands for named data sets: put, list, get and remove.
//
// It owns their flags and output. It leaves the data sets to package shared/catalog, which
// coordinators use for the requests tributary.data too. The coordinator's main package runs
// them.
//
// Invariant: a command prints on standard output what it has done, and nothing if it fails.
package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/term"

	"tributary/coordinator/serve"
	"tributary/shared/access"
	"tributary/shared/broker"
	"tributary/shared/catalog"
	"tributary/shared/job"
	"tributary/shared/lifecycle"
	"tributary/shared/readable"
	"tributary/shared/registry"
	"tributary/shared/settings"
)

// Command has the commands for named data sets.
type Command struct {
	Put    PutCommand    `cmd:"" help:"Store a file as a new version of a named data set."`
	List   ListCommand   `cmd:"" help:"List the named data sets and their versions."`
	Get    GetCommand    `cmd:"" help:"Show a version of a named data set, or write its bytes into a file."`
	Remove RemoveCommand `cmd:"" help:"Remove a version of a named data set that no job needs."`
}

// Servers says where the data sets are.
type Servers struct {
	NATS  broker.Config  `embed:""`
	Blobs access.Address `name:"blobs" env:"TRIBUTARY_BLOBS" default:"nats" help:"Where the bytes live: nats, dir:PATH or s3://…, as for serve."`
	JSON  bool           `name:"json" help:"Print a line of JSON on a terminal too."`
}

// patience bounds the wait for servers, because a user waits for the command.
const patience = 20 * time.Second

// with connects and calls do.
func (s *Servers) with(ctx context.Context, do func(*catalog.Catalog) error) error {
	log, err := settings.Log{Level: "warn", Format: "pretty"}.Logger("")
	if err != nil {
		return err
	}
	cfg := s.NATS
	cfg.Name = "tributary data"
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := broker.Connect(waiting, cfg, log)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.Setup(waiting, broker.SetupConfig{}); err != nil {
		return err
	}
	blobs, err := settings.OpenBlobs(waiting, s.Blobs, conn)
	if err != nil {
		return err
	}
	return do(serve.Catalog(conn, blobs))
}

func (s *Servers) asJSON() bool { return s.JSON || !term.IsTerminal(int(os.Stdout.Fd())) }

// PutCommand stores a file.
type PutCommand struct {
	Servers `embed:""`
	Name    string `arg:"" help:"The name: 1 to 64 of a-z, 0-9, '-' and '_'."`
	File    string `arg:"" help:"The file, packed as .gz, .zst, .bz2 or .zip too."`
	Format  string `name:"format" default:"" enum:",csv,idx,jsonl,parquet" placeholder:"FORMAT" help:"csv, idx, jsonl or parquet; default: what the file's name shows."`
}

// Help returns the text that --help shows after the command's description.
func (*PutCommand) Help() string {
	return `Each put makes a new version, from 1 on; versions never change, and their numbers are not used again. A file with the
bytes of the newest version makes none. A spec names a version as dataset:NAME@3; dataset:NAME is the newest one when
the job is submitted, and the job's record and model say which one that was.`
}

// Run stores the file.
func (c *PutCommand) Run(ctx lifecycle.Contexts) error {
	return c.with(ctx.Soft, func(k *catalog.Catalog) error { return c.put(ctx.Soft, k, os.Stdout) })
}

func (c *PutCommand) put(ctx context.Context, k *catalog.Catalog, w io.Writer) error {
	format := job.Format(c.Format)
	if format == "" {
		if format = job.FormatOf(c.File); format == "" {
			return fmt.Errorf("--format: missing: the file name %.80q does not show it: want one of %q", filepath.Base(c.File), format.Allowed())
		}
	}
	v, err := k.Put(ctx, c.Name, catalog.Added{Format: format, Source: filepath.Base(c.File)}, func() (io.ReadCloser, error) {
		f, err := os.Open(c.File)
		if err != nil {
			return nil, err
		}
		if info, err := f.Stat(); err == nil && !info.Mode().IsRegular() {
			return nil, errors.Join(fmt.Errorf("%s: not a regular file: %w", c.File, job.ErrInvalid), f.Close())
		}
		return f, nil
	})
	if err != nil {
		return err
	}
	if c.asJSON() {
		return readable.Print(w, versionOf(c.Name, v))
	}
	_, err = fmt.Fprintf(w, "%s%s@%d: %s, sha256 %s\n", job.DatasetPrefix, c.Name, v.Version, humanize.IBytes(uint64(v.Bytes)), v.SHA256)
	return err
}

// version is a version as JSON.
type version struct {
	Name string `json:"name"`
	catalog.Version
}

func versionOf(name string, v catalog.Version) version { return version{name, v} }

// ListCommand lists the data sets.
type ListCommand struct {
	Servers `embed:""`
}

// Run lists the data sets.
func (c *ListCommand) Run(ctx lifecycle.Contexts) error {
	return c.with(ctx.Soft, func(k *catalog.Catalog) error { return c.list(ctx.Soft, k, os.Stdout) })
}

func (c *ListCommand) list(ctx context.Context, k *catalog.Catalog, w io.Writer) error {
	entries, err := k.List(ctx)
	if err != nil {
		return err
	}
	if c.asJSON() {
		if entries == nil {
			entries = []catalog.Entry{}
		}
		return readable.Print(w, map[string]any{"datasets": entries})
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "data set\tformat\tsize\tcreated\tfrom\tsha256")
	for _, e := range entries {
		for _, v := range e.Versions {
			state := ""
			if v.Pending {
				state = " (being stored)"
			}
			fmt.Fprintf(t, "%s@%d%s\t%s\t%s\t%s\t%q\t%.12s\n", e.Name, v.Version, state, v.Format, humanize.IBytes(uint64(v.Bytes)), v.Created.Format(time.DateTime), v.Source, v.SHA256)
		}
	}
	return t.Flush()
}

// GetCommand shows a version.
type GetCommand struct {
	Servers `embed:""`
	Dataset string `arg:"" name:"name" help:"The name, or NAME@VERSION; default: the newest version."`
	Out     string `name:"out" placeholder:"FILE" help:"Write the bytes into this file."`
}

// Run shows the version.
func (c *GetCommand) Run(ctx lifecycle.Contexts) error {
	return c.with(ctx.Soft, func(k *catalog.Catalog) error { return c.get(ctx.Soft, k, os.Stdout) })
}

func (c *GetCommand) get(ctx context.Context, k *catalog.Catalog, w io.Writer) error {
	name, number, err := job.ParseDataset(c.Dataset)
	if err != nil {
		return err
	}
	v, err := k.Get(ctx, name, number)
	if err != nil {
		return err
	}
	if c.Out != "" {
		if err := c.save(ctx, k, name, v.Version); err != nil {
			return fmt.Errorf("--out: %w", err)
		}
	}
	return readable.Print(w, versionOf(name, v))
}

// save writes the bytes of a version into the file of --out, which appears whole or not at all.
func (c *GetCommand) save(ctx context.Context, k *catalog.Catalog, name string, number int) (err error) {
	r, err := k.Open(ctx, name, number)
	if err != nil {
		return err
	}
	defer r.Close()
	return registry.WriteFrom(filepath.Dir(c.Out), filepath.Base(c.Out), r)
}

// RemoveCommand removes a version.
type RemoveCommand struct {
	Servers `embed:""`
	Dataset string `arg:"" name:"name" help:"The version, as NAME@VERSION."`
}

// Run removes the version.
func (c *RemoveCommand) Run(ctx lifecycle.Contexts) error {
	return c.with(ctx.Soft, func(k *catalog.Catalog) error { return c.remove(ctx.Soft, k, os.Stdout) })
}

func (c *RemoveCommand) remove(ctx context.Context, k *catalog.Catalog, w io.Writer) error {
	name, number, err := job.ParseDataset(c.Dataset)
	if err != nil {
		return err
	}
	if err := k.Remove(ctx, name, number); err != nil {
		return err
	}
	if c.asJSON() {
		return readable.Print(w, map[string]any{"name": name, "version": number, "removed": true})
	}
	_, err = fmt.Fprintf(w, "removed %s@%d\n", name, number)
	return err
}
