// Package build reports which build of a program is running.
//
// It owns how the linker's build information is read. It imports nothing else of this
// module, so that packages far from logs and metrics can call it. Package telemetry shows
// the build, and package registry writes it into models.
//
// Invariant: the build is read once, so a process always gives the same answer.
package build

import (
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
)

// Info describes the build of the running program.
type Info struct {
	Program  string            // module version, commit, or "dev"
	Go       string            // toolchain
	Modules  map[string]string // dependency path → version
	Modified bool              // built from a source tree with uncommitted changes
}

// Read returns the running program's build.
var Read = sync.OnceValue(func() Info {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{GoVersion: runtime.Version()}
	}
	return describe(info)
})

// Version returns the version of the running program: the module's version if it was
// installed as a module, else the commit that it was built from, else "dev".
func Version() string { return Read().Program }

// semantic is a version of semver.org, without the v.
var semantic = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)

// SemVer returns Version as a semantic version (without v), for protocols that need one.
// It is 0.0.0-dev+COMMIT if the program was not installed as a module version.
func SemVer() string { return semVer(Read().Program) }

func semVer(version string) string {
	if v := strings.TrimPrefix(version, "v"); semantic.MatchString(v) {
		return v
	}
	if version == "dev" {
		return "0.0.0-dev"
	}
	return "0.0.0-dev+" + strings.ReplaceAll(version, "+", ".")
}

func describe(info *debug.BuildInfo) Info {
	b := Info{Program: "dev", Go: info.GoVersion, Modules: make(map[string]string, len(info.Deps))}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		b.Modules[m.Path] = m.Version
	}
	var revision string
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	switch v := info.Main.Version; {
	case v != "" && v != "(devel)":
		b.Program = v
	case revision != "":
		b.Program = revision[:min(12, len(revision))]
		if b.Modified {
			b.Program += "+dirty"
		}
	}
	return b
}
