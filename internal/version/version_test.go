package version

import (
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDescribe(t *testing.T) {
	platform := runtime.GOOS + "/" + runtime.GOARCH
	committed := []debug.BuildSetting{{Key: "vcs.revision", Value: "4f2a91c03b7e5d"}, {Key: "vcs.modified", Value: "false"}}
	modified := []debug.BuildSetting{{Key: "vcs.revision", Value: "4f2a91c"}, {Key: "vcs.modified", Value: "true"}}
	for name, c := range map[string]struct {
		build   debug.BuildInfo
		release string
		want    Info
		text    string
	}{
		"a stamped release": {
			build:   debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v0.0.0-1"}, Settings: committed},
			release: "v1.0.0",
			want:    Info{Version: "v1.0.0", Commit: "4f2a91c03b7e5d", Go: "go1.26.8", Platform: platform},
			text:    "v1.0.0, commit 4f2a91c03b7e, go1.26.8 " + platform,
		},
		"the module's version without a stamp": {
			build: debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v1.2.3"}},
			want:  Info{Version: "v1.2.3", Go: "go1.26.8", Platform: platform},
			text:  "v1.2.3, go1.26.8 " + platform,
		},
		"uncommitted changes": {
			build: debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v0.0.0-1+dirty"}, Settings: modified},
			want:  Info{Version: "v0.0.0-1+dirty", Commit: "4f2a91c", Modified: true, Go: "go1.26.8", Platform: platform},
			text:  "v0.0.0-1+dirty, commit 4f2a91c with uncommitted changes, go1.26.8 " + platform,
		},
		"nothing known": {
			want: Info{Version: "(devel)", Platform: platform},
			text: "(devel),  " + platform,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := describe(&c.build, c.release)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if got.String() != c.text {
				t.Errorf("String() = %q, want %q", got, c.text)
			}
		})
	}
}

func TestReadKnowsTheToolchain(t *testing.T) {
	if got := Read(); !strings.HasPrefix(got.Go, "go") || got.Version == "" {
		t.Errorf("Read() = %+v, want a version and the toolchain's", got)
	}
}

func TestProgramName(t *testing.T) {
	for arg0, want := range map[string]string{
		"/usr/local/bin/farmtrust": "farmtrust",
		"bin/farmtrust.exe":        "farmtrust",
		"starter":                  "starter",
	} {
		if got := ProgramName(arg0); got != want {
			t.Errorf("ProgramName(%q) = %q, want %q", arg0, got, want)
		}
	}
}
