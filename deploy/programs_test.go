package deploy_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The modules that the images temporalio/server, temporalio/admin-tools and
// temporalio/ui are built from.
const (
	serverModule = "go.temporal.io/server"
	uiModule     = "github.com/temporalio/ui-server/v2"
)

// programs is a folder of programs, named as in the images.
type programs struct {
	dir string
	// server and ui are the sources of the two modules, which have the files that
	// the images add to the programs.
	server, ui string
}

func (p programs) path(name string) string { return filepath.Join(p.dir, name) }

// buildPrograms builds Temporal's programs in the versions of the images, as their
// own makefiles do, and farmtrust's from this source.
func buildPrograms(t *testing.T, c composeFile) programs {
	t.Helper()
	server, ui := "@v"+c.Services["temporal"].tag(), "@v"+c.Services["ui"].tag()
	p := programs{
		dir:    t.TempDir(),
		server: downloadModule(t, serverModule+server), ui: downloadModule(t, uiModule+ui),
	}
	p.install(t, serverModule+"/cmd/server"+server, "server", "temporal-server")
	p.install(t, serverModule+"/cmd/tools/sql@v"+c.Services["schema"].tag(), "sql", "temporal-sql-tool")
	p.install(t, uiModule+"/cmd/server"+ui, "server", "ui-server")
	for name, folder := range map[string]string{
		"farmtrust": "starter", "farmtrust-worker": "worker", "farmsim": "internal/farmsim/cmd/farmsim",
	} {
		run(t, nil, "go", "build", "-C", "..", "-o", p.path(name), "./"+folder)
	}
	return p
}

// install builds a package of another module, whose program the go command names
// built, as name. What it builds stays in out, where it is found up to date the next
// time.
func (p programs) install(t *testing.T, path, built, name string) {
	t.Helper()
	out, err := filepath.Abs(filepath.Join("..", "out", "topology", name))
	if err != nil {
		t.Fatal(err)
	}
	run(t, append(os.Environ(), "CGO_ENABLED=0", "GOBIN="+out), "go", "install", path)
	if err := os.Symlink(filepath.Join(out, built), p.path(name)); err != nil {
		t.Fatal(err)
	}
}

// downloadModule returns the folder of a module's source.
func downloadModule(t *testing.T, module string) string {
	t.Helper()
	var downloaded struct{ Dir string }
	if err := json.Unmarshal([]byte(run(t, nil, "go", "mod", "download", "-json", module)), &downloaded); err != nil {
		t.Fatal(err)
	}
	return downloaded.Dir
}

// run runs a command to its end and returns what it printed. An empty environment
// is that of the test.
func run(t *testing.T, env []string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), args[0], args[1:]...)
	command.Env = env
	var stdout, stderr strings.Builder
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		t.Fatalf("%q: %v\n%s%s", args, err, &stdout, &stderr)
	}
	return stdout.String()
}
