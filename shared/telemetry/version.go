package telemetry

import (
	"runtime"
	"runtime/debug"
	"sync"
)

// Build says which build of the program is running.
type Build struct {
	Program  string            `json:"program"`  // module version, commit, or "dev"
	Go       string            `json:"go"`       // toolchain
	Modules  map[string]string `json:"-"`        // dependency path → version
	Modified bool              `json:"modified"` // built from a changed tree
}

// ReadBuild reads the build once, from what the linker left in the program.
var ReadBuild = sync.OnceValue(func() Build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{GoVersion: runtime.Version()}
	}
	return describe(info)
})

// Version is the running program's version: the module's version when it was
// installed as one, else the commit it was built from, else "dev".
func Version() string { return ReadBuild().Program }

func describe(info *debug.BuildInfo) Build {
	b := Build{Program: "dev", Go: info.GoVersion, Modules: make(map[string]string, len(info.Deps))}
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
