package build

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDescribe(t *testing.T) {
	vcs := []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: "true"}}
	for want, info := range map[string]*debug.BuildInfo{
		"dev":                {},
		"v1.2.3":             {Main: debug.Module{Version: "v1.2.3"}, Settings: vcs},
		"0123456789ab+dirty": {Main: debug.Module{Version: "(devel)"}, Settings: vcs},
		"0123456789ab":       {Settings: vcs[:1]},
	} {
		require.Equal(t, want, describe(info).Program)
	}
	old := &debug.Module{Path: "a.org/x", Version: "v1", Replace: &debug.Module{Path: "b.org/x", Version: "v2"}}
	require.Equal(t, map[string]string{"b.org/x": "v2"}, describe(&debug.BuildInfo{Deps: []*debug.Module{old}}).Modules)
	require.NotEmpty(t, Version())
	require.NotEmpty(t, Read().Go)
}

func TestSemVer(t *testing.T) {
	for version, want := range map[string]string{
		"v1.2.3": "1.2.3", "v1.2.3-rc.1+x": "1.2.3-rc.1+x", "dev": "0.0.0-dev",
		"0123456789ab": "0.0.0-dev+0123456789ab", "0123456789ab+dirty": "0.0.0-dev+0123456789ab.dirty",
		"v0.0.0-20240229120000-0123456789ab+dirty": "0.0.0-20240229120000-0123456789ab+dirty",
	} {
		require.Equal(t, want, semVer(version))
		require.Regexp(t, semantic, semVer(version))
	}
	require.Regexp(t, semantic, SemVer())
}
