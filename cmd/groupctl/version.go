package main

import (
	"runtime/debug"
	"strings"
)

// versionLine is what --version prints after the name: the module's version, the commit
// that it was built from, and the version of Go.
func versionLine(info *debug.BuildInfo, ok bool) string {
	if !ok {
		return "of an unknown version: it was built without build information"
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	version := info.Main.Version
	if version == "" || version == "(devel)" {
		version = "of no released version"
	}
	parts := []string{version}
	if commit := settings["vcs.revision"]; commit != "" {
		text := "commit " + commit
		if at := settings["vcs.time"]; at != "" {
			text += " of " + at
		}
		if settings["vcs.modified"] == "true" {
			text += ", with changes"
		}
		parts = append(parts, text)
	}
	return strings.Join(append(parts, info.GoVersion), "; ")
}
