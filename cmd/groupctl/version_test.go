package main

import (
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	result := runArgs(t, "--version")
	if result.code != exitFound || result.stderr != "" || !strings.HasPrefix(result.stdout, "groupctl ") || !strings.HasSuffix(result.stdout, "; "+runtime.Version()+"\n") || strings.Count(result.stdout, "\n") != 1 {
		t.Errorf("%+v", result)
	}
	built := func(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{GoVersion: "go1.26", Main: debug.Module{Version: version}, Settings: settings}
	}
	commit := []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.time", Value: "2026-01-02T03:04:05Z"}, {Key: "vcs.modified", Value: "true"}}
	for want, got := range map[string]string{
		"v1.2.3; go1.26":                                                   versionLine(built("v1.2.3"), true),
		"of no released version; go1.26":                                   versionLine(built("(devel)"), true),
		"v1.2.3; commit abc of 2026-01-02T03:04:05Z; go1.26":               versionLine(built("v1.2.3", commit[:2]...), true),
		"v1.2.3; commit abc of 2026-01-02T03:04:05Z, with changes; go1.26": versionLine(built("v1.2.3", commit...), true),
		"of an unknown version: it was built without build information":    versionLine(nil, false),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
