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

	"github.com/farmtrust/farmtrust/internal/farmsim/pwsh"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// shipped is where administrators find the task's scripts.
const shipped = "../../deploy/sharepoint-task"

var update = flag.Bool("update", false, "write the scripts in deploy")

func TestShippedScripts_AreCurrent(t *testing.T) {
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
			t.Errorf("%s is not of this version; write it with go test ./internal/powershell -run ShippedScripts -update\n%s", path, diff)
		}
	}
}

// installation is what the installer did, as its stubs were told.
type installation struct {
	// access are the rights on each folder, by its name and by account.
	access     map[string]map[string]string
	publishers []string
	task       registeredTask
}

type registeredTask struct {
	Name, User, Argument, LogonType, MultipleInstances string
}

// record makes an override that decodes the parameters of a stub.
func record[P any](note func(P)) pwsh.Override {
	return func(raw json.RawMessage, _ func() (any, error)) (any, error) {
		var parameters P
		err := json.Unmarshal(raw, &parameters)
		note(parameters)
		return nil, err
	}
}

// publisher is the thumbprint of the certificate that the script is to be signed with.
var publisher = strings.Repeat("AB", 20)

// signedBy is the certificate that a script is signed with.
func signedBy(thumbprint string) any {
	return pwsh.Object("Certificate", map[string]any{"Subject": "CN=Contoso Code Signing", "Thumbprint": thumbprint})
}

// runInstaller runs the installer on this machine, with a script that is signed by signer,
// nil for nobody. It returns where it installed to, and what it did.
func runInstaller(t *testing.T, signer any) (programs string, done installation, out pwsh.Output) {
	t.Helper()
	done.access = map[string]map[string]string{}
	spec := newMachine().
		override("Get-AccountSid", pwsh.Return("S-1-5-21-1-2-3-1105")).
		override("Get-ValidSigner", pwsh.Return(signer)).
		override("Set-ClosedFolder", record(func(p struct{ Path, Sid, Rights string }) {
			name := filepath.Base(p.Path)
			if done.access[name] == nil {
				done.access[name] = map[string]string{}
			}
			done.access[name][p.Sid] = p.Rights
		})).
		override("Add-TrustedPublisher", record(func(p struct{ Subject string }) { done.publishers = append(done.publishers, p.Subject) })).
		override("Register-ScheduledTask", record(func(p registeredTask) { done.task = p }))
	s := newServer(t, spec)
	s.ProgramFiles = t.TempDir()
	dir := t.TempDir()
	installer := filepath.Join(dir, "Install-FarmtrustTask.ps1")
	requireNoError(t, os.WriteFile(installer, []byte(powershell.TaskInstallerOn(pwsh.InstallerStubs())), 0o600))
	requireNoError(t, os.WriteFile(filepath.Join(dir, "farmtrust-sharepoint.ps1"), []byte(powershell.TaskScript()), 0o600))
	path, err := instrumentFile(installer)
	requireNoError(t, err)
	out, err = s.RunCommand(t.Context(), nil, "-NoProfile", "-NonInteractive", "-File", path, "-Account", taskUser, "-Publisher", strings.ToLower(publisher))
	requireNoError(t, err)
	return s.ProgramFiles, done, out
}

func TestInstaller(t *testing.T) {
	t.Parallel()
	t.Run("closes the folders and registers the task", func(t *testing.T) {
		t.Parallel()
		programs, done, out := runInstaller(t, signedBy(publisher))
		if out.Exit != 0 {
			t.Fatalf("exit code %d: %s%s", out.Exit, out.Stdout, out.Stderr)
		}
		const system, administrators, account = "S-1-5-18", "S-1-5-32-544", "S-1-5-21-1-2-3-1105"
		access := map[string]map[string]string{
			"farmtrust": {system: "FullControl", administrators: "FullControl", account: "ReadAndExecute"},
			"requests":  {system: "FullControl", administrators: "Modify", account: "ReadAndExecute"},
			"results":   {system: "FullControl", administrators: "ReadAndExecute", account: "Modify"},
		}
		if diff := cmp.Diff(access, done.access); diff != "" {
			t.Errorf("access, want -, got +:\n%s", diff)
		}
		if diff := cmp.Diff([]string{"CN=Contoso Code Signing"}, done.publishers); diff != "" {
			t.Errorf("publishers, want -, got +:\n%s", diff)
		}
		script := filepath.Join(programs, "farmtrust", "farmtrust-sharepoint.ps1")
		if content, err := os.ReadFile(script); err != nil || string(content) != powershell.TaskScript() {
			t.Errorf("the script is not installed: %v", err)
		}
		task := registeredTask{
			Name: "farmtrust-sharepoint", User: taskUser, LogonType: "Password", MultipleInstances: "Queue",
			Argument: fmt.Sprintf(`-NoLogo -NoProfile -NonInteractive -ExecutionPolicy AllSigned -File "%s"`, script),
		}
		if diff := cmp.Diff(task, done.task); diff != "" {
			t.Errorf("task, want -, got +:\n%s", diff)
		}
	})
	for name, c := range map[string]struct {
		signer any
		says   string
	}{
		"refuses a script without a valid signature":    {nil, "no valid signature"},
		"refuses a script that someone else has signed": {signedBy(strings.Repeat("CD", 20)), "not by the publisher"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			programs, done, out := runInstaller(t, c.signer)
			// PowerShell breaks the lines of an error.
			output := strings.Join(strings.Fields(string(out.Stdout)+string(out.Stderr)), " ")
			if out.Exit == 0 || !strings.Contains(output, c.says) {
				t.Errorf("exit code %d: %s", out.Exit, output)
			}
			if _, err := os.Stat(filepath.Join(programs, "farmtrust")); err == nil || len(done.access) != 0 || len(done.publishers) != 0 {
				t.Error("something was installed")
			}
		})
	}
}
