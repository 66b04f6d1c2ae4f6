package powershell_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

// shipped is where administrators find the task's scripts.
const shipped = "../../deploy/sharepoint-task"

var update = flag.Bool("update", false, "write the shipped scripts anew")

func TestTheShippedScriptsAreThoseOfThisVersion(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"farmtrust-sharepoint.ps1": powershell.TaskScript(), "Install-FarmtrustTask.ps1": powershell.TaskInstaller(),
	} {
		path := filepath.Join(shipped, name)
		if *update {
			if err := os.WriteFile(path, []byte(script), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(script, string(got)); diff != "" {
			t.Errorf("%s is not what this version makes; write it anew with go test ./internal/powershell -run TheShipped -update\n%s", path, diff)
		}
	}
}

// installed is what the installing script leaves, as its stand-ins note it.
type installed struct {
	Folders map[string][]struct {
		Sid    string `json:"Sid"`
		Rights string `json:"Rights"`
	} `json:"folders"`
	Publishers []string `json:"publishers"`
	Tasks      map[string]struct {
		Argument  string `json:"argument"`
		User      string `json:"user"`
		Logon     string `json:"logon"`
		Instances string `json:"instances"`
	} `json:"tasks"`
}

// runInstaller runs the installing script on this machine, with stand-ins for
// what only Windows can do.
func runInstaller(t *testing.T, signature string) (e *engine, out string, exit int) {
	t.Helper()
	e = newEngine(t, map[string]any{"folders": map[string]any{}, "publishers": []string{}, "tasks": map[string]any{}, "signature": signature})
	machine, err := os.ReadFile("testdata/standins/install.ps1")
	if err != nil {
		t.Fatal(err)
	}
	base, err := e.machine()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	installer, script := filepath.Join(dir, "Install-FarmtrustTask.ps1"), filepath.Join(dir, "farmtrust-sharepoint.ps1")
	for path, text := range map[string]string{installer: powershell.TaskInstallerOn(base + string(machine)), script: powershell.TaskScript()} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	stdout, stderr, exit, err := e.startWith(t.Context(), []string{
		"-NoProfile", "-NonInteractive", "-File", watched(t, installer), "-Account", `CONTOSO\farmtrust-sp$`,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e, string(stdout) + string(stderr), exit
}

func TestTheInstallerClosesTheFoldersAndRegistersTheTask(t *testing.T) {
	t.Parallel()
	e, out, exit := runInstaller(t, "Valid")
	if exit != 0 {
		t.Fatalf("exit code %d: %s", exit, out)
	}
	raw, err := os.ReadFile(e.world)
	if err != nil {
		t.Fatal(err)
	}
	var got installed
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	const system, administrators, account = "S-1-5-18", "S-1-5-32-544", "S-1-5-21-1-2-3-1105"
	want := map[string]map[string]string{
		"farmtrust": {system: "FullControl", administrators: "FullControl", account: "ReadAndExecute"},
		"requests":  {system: "FullControl", administrators: "Modify", account: "ReadAndExecute"},
		"results":   {system: "FullControl", administrators: "ReadAndExecute", account: "Modify"},
	}
	access := map[string]map[string]string{}
	for path, entries := range got.Folders {
		access[filepath.Base(path)] = map[string]string{}
		for _, entry := range entries {
			access[filepath.Base(path)][entry.Sid] = entry.Rights
		}
	}
	if diff := cmp.Diff(want, access); diff != "" {
		t.Errorf("access, want -, got +:\n%s", diff)
	}
	script := filepath.Join(filepath.Dir(e.world), "farmtrust", "farmtrust-sharepoint.ps1")
	if content, err := os.ReadFile(script); err != nil || string(content) != powershell.TaskScript() {
		t.Errorf("the script is not installed: %v", err)
	}
	task := got.Tasks["farmtrust-sharepoint"]
	if task.User != `CONTOSO\farmtrust-sp$` || task.Logon != "Password" || task.Instances != "Queue" ||
		!strings.HasSuffix(task.Argument, fmt.Sprintf(`-ExecutionPolicy AllSigned -File "%s"`, script)) {
		t.Errorf("task %+v", task)
	}
	if len(got.Publishers) != 1 {
		t.Errorf("publishers trusted: %v", got.Publishers)
	}
}

func TestTheInstallerRefusesAScriptWithoutAValidSignature(t *testing.T) {
	t.Parallel()
	for _, signature := range []string{"NotSigned", "HashMismatch", "NotTrusted"} {
		e, out, exit := runInstaller(t, signature)
		if exit == 0 || !strings.Contains(out, "no valid signature") {
			t.Errorf("%s: exit code %d: %s", signature, exit, out)
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(e.world), "farmtrust")); err == nil {
			t.Errorf("%s: something was installed", signature)
		}
	}
}
