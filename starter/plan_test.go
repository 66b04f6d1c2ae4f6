package main

import (
	"strings"
	"testing"

	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
	"github.com/farmtrust/farmtrust/workflows"
)

// inspectionOf ends an inspection with what a worker found.
func inspectionOf(change func(*farm.Inspection)) func(id string) ending {
	return func(id string) ending {
		name, _, _ := strings.Cut(strings.TrimPrefix(id, "inspect/"), "/")
		n := farm.Inspection{
			Farm: name,
			Servers: []farm.InspectedServer{{
				Host: "oos-01", Role: farm.OfficeRole, Machine: farm.Machine{Elevated: true, WindowsBuild: 17763, PowerShell: "5.1.17763.1"},
				Detail: "Office Online Server, Healthy",
			}},
		}
		change(&n)
		return ending{result: n}
	}
}

// failsWith ends every inspection with an error.
func failsWith(err error) func(id string) ending {
	return func(string) ending { return ending{err: err} }
}

func inOrder(*farm.Inspection) {}

func differs(n *farm.Inspection) {
	n.Plan = []farm.Difference{{Step: farm.StepImport, Server: "oos-01", Text: "import it: the Personal store does not hold it"}}
}

func stopped(n *farm.Inspection) {
	n.Findings = []farm.Finding{{Severity: farm.Stop, Server: "oos-01", Text: "is in no Office Online Server farm", Remedy: "join it"}}
}

func unreachable(n *farm.Inspection) { n.Servers[0].Problem = "connection refused: start WinRM there" }

func TestPlan_ExitCode(t *testing.T) {
	for name, c := range map[string]struct {
		found func(*farm.Inspection)
		code  int
		want  string
	}{
		"nothing to do":           {inOrder, exitOK, "out:contoso: nothing to do, configured as desired"},
		"something to do":         {differs, exitDiffers, "out:oos-01  import it: the Personal store does not hold it"},
		"a precondition fails":    {stopped, exitRefused, "out:is in no Office Online Server farm"},
		"a server is not reached": {unreachable, exitFailed, "out:connection refused: start WinRM there"},
	} {
		t.Run(name, func(t *testing.T) {
			f := startTemporal(t, &fakeTemporal{onStart: inspectionOf(c.found)})
			runProgram(t, "plan", "contoso").assertExit(t, c.code, c.want)
			want := []startedRun{{ID: "inspect/contoso", Type: "InspectTrust", Queue: "farmtrust", Input: `{"farm":"contoso"}`, Summary: "inspect contoso", Farm: "contoso"}}
			assertEqual(t, f.startedRuns(t), want)
			got := runProgram(t, "plan", "contoso", "-o", "json")
			got.assertExit(t, c.code)
			var shown farm.Inspection
			got.readJSON(t, &shown)
			assertEqual(t, shown.Farm, "contoso")
		})
	}
}

func TestPlan_Accept(t *testing.T) {
	rebootPends := func(n *farm.Inspection) {
		differs(n)
		n.Findings = []farm.Finding{{Code: "pending-reboot", Severity: farm.Stop, Server: "oos-01", Text: "a reboot of Windows is pending", Remedy: "reboot it"}}
	}
	startTemporal(t, &fakeTemporal{onStart: inspectionOf(rebootPends)})
	plan := func(args ...string) outcome {
		return runProgram(t, append([]string{"plan", "contoso"}, args...)...)
	}
	t.Run("a stop is shown with the flag and the command that accept it", func(t *testing.T) {
		plan().assertExit(t, exitRefused, "out:--accept pending-reboot@oos-01", "out:    farmtrust rotate contoso --accept pending-reboot@oos-01 --reason WHY\n")
	})
	t.Run("what is accepted does not stop the plan", func(t *testing.T) {
		plan("--accept", "pending-reboot@oos-01", "--reason", "patched", "--by", "ada").assertExit(t, exitDiffers, "out:a reboot of Windows is pending; accepted by ada on ", "out:patched;")
	})
	t.Run("what does not stop it cannot be accepted", func(t *testing.T) {
		plan("--accept", "pending-reboot@oos-02", "--reason", "patch day").assertExit(t, exitRefused,
			"contoso: accept pending-reboot@oos-02: nothing like that stops the rotation now; what does: pending-reboot@oos-01")
	})
}

func TestPlan_AndCheckNeedAWorker(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{noWorker: true})
	f.addController(inOrderState("contoso"))
	before := f.startedRuns(t)
	for _, command := range []string{"plan contoso", "check contoso"} {
		got := runProgram(t, strings.Fields(command)...)
		got.err += got.out
		got.assertExit(t, exitCannotTell, "no worker answers on task queue farmtrust; start one: farmtrust-worker -config FILE")
	}
	assertEqual(t, f.startedRuns(t), before)
}

// ownCertificates makes every farm of a configuration issue its certificates itself: a
// folder that need not exist yet.
func ownCertificates(text string) string {
	text = strings.Replace(text, "directory: {path: pfx,", "selfSigned: {path: contoso,", 1)
	return strings.Replace(text, "directory: {path: pfx,", "selfSigned: {path: fabrikam,", 1)
}

// inspectionOfFile ends every inspection as a worker would that has the configuration of
// a file.
func inspectionOfFile(t *testing.T, path string, change func(*farm.Inspection)) func(id string) ending {
	t.Helper()
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return inspectionOf(func(n *farm.Inspection) {
		f, _ := c.Farm(n.Farm)
		n.Config = f.Farm
		change(n)
	})
}

func TestCheck_InspectsEveryFarmOfTheFileOrThoseNamed(t *testing.T) {
	t.Setenv("PFX", "secret")
	t.Setenv("PASSWORD", "secret")
	file := writeFile(t, "farmtrust.yaml", ownCertificates(twoFarms))
	f := startTemporal(t, &fakeTemporal{onStart: inspectionOfFile(t, file, differs)})
	for _, name := range []string{"contoso", "fabrikam", "elsewhere"} {
		f.addController(inOrderState(name))
	}
	runProgram(t, "check", "--config", file).assertExit(t, exitOK, "out:farmtrust.yaml: the configuration is valid\n",
		"out:contoso: 1 of 1 server answered", "out:fabrikam: 1 of 1 server answered", "out:administrator  2019")
	runProgram(t, "check", "--config", file, "fabrikam").assertExit(t, exitOK)
	runProgram(t, "check", "elsewhere").assertExit(t, exitOK, "out:elsewhere: 1 of 1 server answered")
	if got := f.startedRuns(t); len(got) != 3+4 {
		t.Errorf("got %v, want 2, 1 and 1 inspections of 3 farms", got)
	}
}

func TestCheck_SaysThatTheWorkerHasAnotherConfiguration(t *testing.T) {
	t.Setenv("PFX", "secret")
	t.Setenv("PASSWORD", "secret")
	worker := writeFile(t, "worker.yaml", ownCertificates(twoFarms))
	edited := writeFile(t, "edited.yaml", strings.Replace(ownCertificates(twoFarms), "oos-01.contoso.com", "oos-09.contoso.com", 1))
	startTemporal(t, &fakeTemporal{onStart: inspectionOfFile(t, worker, inOrder)})
	got := runProgram(t, "check", "--config", edited)
	got.assertExit(t, exitFailed, "out:it differs in office.servers; what follows is the worker's", "out:farmtrust-worker check -config "+edited, "out:fabrikam: 1 of 1")
	if strings.Count(got.out, "it differs in") != 1 {
		t.Errorf("got\n%s\nwant that fabrikam does not differ", got.out)
	}
}

func TestCheck_OpensWhatTheFileNames(t *testing.T) {
	t.Setenv("PASSWORD", "secret")
	file := writeFile(t, "farmtrust.yaml", twoFarms)
	startTemporal(t, &fakeTemporal{onStart: inspectionOfFile(t, file, inOrder)})
	runProgram(t, "check", "--config", file).assertExit(t, exitUsage,
		"out:farms[contoso].certificate.source.password: ", "out:farms[fabrikam].certificate.source.password: ",
		"out:what is on the worker's alone, farmtrust-worker check opens there", "out:contoso: 1 of 1 server answered")
}

func TestCheck_BrokenFile(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{onStart: inspectionOf(inOrder)})
	config := writeFile(t, "broken.yaml", strings.NewReplacer("office:", "offices:", "auth: ntlm", "auth: magic").Replace(twoFarms))
	runProgram(t, "check", "--config", config).assertExit(t, exitUsage, "broken.yaml:3: ", "broken.yaml:10: ", "broken.yaml:17: ")
	runProgram(t, "check", "--config", writeFile(t, "good.yaml", twoFarms), "west").assertExit(t, exitUsage, `unknown farm "west"`)
	assertEqual(t, f.startedRuns(t), nil)
}

func TestCheck_OfTheFileAloneNeedsNoTemporal(t *testing.T) {
	t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
	runProgram(t, "check", "--file-only", "--config", writeFile(t, "farmtrust.yaml", twoFarms)).assertExit(t, exitOK, "out:the configuration is valid")
}

func TestCheck_ExitCodeIsTheWorst(t *testing.T) {
	unknown := temporal.NewNonRetryableApplicationError("no such farm", workflows.UnknownFarmError, nil)
	for name, c := range map[string]struct {
		contoso, fabrikam func(id string) ending
		code              int
		want              []string
	}{
		"unknown to the worker": {inspectionOf(inOrder), failsWith(unknown), exitUsage, []string{"out:contoso: 1 of 1", "out:fabrikam: no such farm"}},
		"not reached":           {inspectionOf(unreachable), inspectionOf(stopped), exitFailed, []string{"out:contoso: 0 of 1", "out:start WinRM there"}},
		"a precondition fails":  {inspectionOf(stopped), inspectionOf(inOrder), exitRefused, []string{"out:contoso: 1 of 1 server answered, 1 precondition to meet"}},
	} {
		t.Run(name, func(t *testing.T) {
			startTemporal(t, &fakeTemporal{onStart: func(id string) ending {
				if id == "inspect/contoso" {
					return c.contoso(id)
				}
				return c.fabrikam(id)
			}})
			runProgram(t, "check", "contoso", "fabrikam").assertExit(t, c.code, c.want...)
			got := runProgram(t, "check", "contoso", "fabrikam", "-o", "json")
			got.assertExit(t, c.code)
			var shown report.CheckResult
			got.readJSON(t, &shown)
			var names []string
			for _, f := range shown.Farms {
				names = append(names, f.Farm)
			}
			assertEqual(t, names, []string{"contoso", "fabrikam"})
		})
	}
}

func TestCheck_FailsWhereAnOperatorIsNeeded(t *testing.T) {
	inOrderAgain := func(n *farm.Inspection) { n.Current = inUse(200) }
	for name, c := range map[string]struct {
		known func(*controller.State)
		found func(*farm.Inspection)
		code  int
		want  string
	}{
		"in order":   {func(*controller.State) {}, inOrderAgain, exitOK, "out:contoso: 1 of 1 server answered\n"},
		"ends soon":  {func(*controller.State) {}, func(n *farm.Inspection) { n.Current = inUse(9) }, exitOperator, "out:trouble  certificate DB0FEA9B, in use, expires on "},
		"suspended":  {func(s *controller.State) { s.Suspended = "the rotation was rolled back" }, inOrderAgain, exitOperator, "out:trouble  suspended: the rotation was rolled back"},
		"is stopped": {func(s *controller.State) { s.Suspended = "the rotation was rolled back" }, stopped, exitRefused, "out:1 precondition to meet"},
		"half-way": {func(*controller.State) {}, func(n *farm.Inspection) {
			n.Current, n.RefreshDoubt = inUse(200), "oos-01 signs with DB0FEA9B, and SharePoint trusts 99887766"
		}, exitOperator, "out:data refresh fails, or may fail: oos-01 signs with DB0FEA9B, and SharePoint"},
	} {
		t.Run(name, func(t *testing.T) {
			f := startTemporal(t, &fakeTemporal{onStart: inspectionOf(c.found)})
			state := inOrderState("contoso")
			c.known(&state)
			f.addController(state)
			runProgram(t, "check", "contoso").assertExit(t, c.code, c.want)
		})
	}
}

func TestPlan_OfAnUnmanagedFarmStartsNothing(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{onStart: inspectionOf(inOrder)})
	setAttributes(t, f.addController(controller.State{Farm: "contoso", Unmanaged: "no longer configured on worker w-1"}), map[string]any{"Phase": "unmanaged"})
	for _, command := range []string{"plan", "check"} {
		got := runProgram(t, command, "contoso")
		got.err += got.out
		got.assertExit(t, exitUsage, "no worker has the farm in its configuration any more: farmtrust status contoso")
	}
	assertEqual(t, len(f.startedRuns(t)), 1)
}
