// Package version says which program is running, and which build of it.
package version

import (
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
)

// release is stamped by the linker (-X, see the Makefile). Without it the
// version is the one that Go derives from the module or from version control.
var release string

// Info describes a build.
type Info struct {
	// Version is a release, a pseudo-version, or "(devel)" where nothing is known.
	Version string `json:"version"`
	// Commit is the full hash; empty in builds outside version control.
	Commit string `json:"commit,omitempty"`
	// Modified reports whether the working tree had uncommitted changes.
	Modified bool `json:"modified,omitempty"`
	// Go is the version of the toolchain, Platform the target as GOOS/GOARCH.
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Read returns what is known of the running program.
func Read() Info {
	build, ok := debug.ReadBuildInfo()
	if !ok { // built without module support
		build = &debug.BuildInfo{GoVersion: runtime.Version()}
	}
	return describe(build, release)
}

func describe(build *debug.BuildInfo, release string) Info {
	info := Info{Version: release, Go: build.GoVersion, Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info.Version == "" {
		info.Version = build.Main.Version
	}
	if info.Version == "" {
		info.Version = "(devel)"
	}
	for _, s := range build.Settings {
		switch s.Key {
		case "vcs.revision":
			info.Commit = s.Value
		case "vcs.modified":
			info.Modified = s.Value == "true"
		}
	}
	return info
}

// Build names the build for a record: its version, and its commit where the version
// does not tell.
func (i Info) Build() string {
	if i.Commit == "" || i.Version != "(devel)" {
		return i.Version
	}
	return i.Version + " " + i.Commit[:min(12, len(i.Commit))]
}

// String is one line, such as "v1.0.0, commit 4f2a91c03b7e, go1.26.8 linux/amd64".
func (i Info) String() string {
	const short = 12 // as many digits as pseudo-versions have
	commit := ""
	if i.Commit != "" {
		commit = ", commit " + i.Commit[:min(short, len(i.Commit))]
	}
	if i.Modified {
		commit += " with uncommitted changes"
	}
	return fmt.Sprintf("%s%s, %s %s", i.Version, commit, i.Go, i.Platform)
}

// ProgramName returns the name that a program was called by, from its first
// argument, without the folder and without the suffix that Windows gives
// programs. Help and examples use it, so that they can be pasted.
func ProgramName(arg0 string) string {
	return strings.TrimSuffix(filepath.Base(arg0), ".exe")
}
