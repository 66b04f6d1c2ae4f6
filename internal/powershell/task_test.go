package powershell_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/pwsh"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

func TestTask(t *testing.T) {
	t.Parallel()
	t.Run("does what a direct call cannot", func(t *testing.T) {
		t.Parallel()
		old, renewed := newCertificate(t, "s2s.contoso.com"), newCertificate(t, "s2s.contoso.com")
		for edition, version := range editions {
			t.Run(edition, func(t *testing.T) {
				t.Parallel()
				s := newTaskServer(t, newFrontEnd(version))
				assertRefused(t, s, observation(), powershell.SecondHop)

				root := powershell.AddRootAuthority{Authorities: []powershell.RootAuthorityCertificate{{Name: "OOS root", Certificate: old.der}}}
				if first, second := mustRun(t, s.runner(), root), mustRun(t, s.runner(), root); !first.Changed || second.Changed {
					t.Errorf("root authority: first %+v, then %+v", first, second)
				}
				const name = "OOS SharePoint Server"
				for _, step := range []struct {
					name   string
					params powershell.SetTrustedIssuer
					want   powershell.SetIssuerResult
				}{
					{"created", trustOf(old, sharePointIssuer, name), powershell.SetIssuerResult{Changed: true, Created: true, Granted: []string{site}, Name: name}},
					{"again", trustOf(old, sharePointIssuer, name), powershell.SetIssuerResult{Granted: []string{}, Name: name}},
					{"renewed", trustOf(renewed, sharePointIssuer, name), powershell.SetIssuerResult{Changed: true, Updated: true, Granted: []string{}, Name: name}},
				} {
					if diff := cmp.Diff(step.want, mustRun(t, s.runner(), step.params)); diff != "" {
						t.Errorf("%s, want -, got +:\n%s", step.name, diff)
					}
				}
				got := mustRun(t, s.runner(), observation())
				if len(got.Issuers) != 1 || got.Issuers[0].Thumbprint != renewed.thumbprint || len(got.RootAuthorities) != 2 {
					t.Errorf("observed %+v", got)
				}
				s.assertNoRequests()
			})
		}
	})
	t.Run("says why its account does not reach the farm", func(t *testing.T) {
		t.Parallel()
		for refusal, id := range map[model.SQLRefusal]string{
			model.SQLWithoutLogin: powershell.NoFarmAccess, model.SQLFailsOver: powershell.SqlUnavailable,
		} {
			t.Run(string(refusal), func(t *testing.T) {
				t.Parallel()
				spec := newFrontEnd(editions["2016"])
				spec.sql = refusal
				assertRefused(t, newTaskServer(t, spec).runner(), observation(), id)
			})
		}
	})
	t.Run("sees what a direct call sees", func(t *testing.T) {
		t.Parallel()
		c := newCertificate(t, "s2s.contoso.com")
		spec := func() *serverSpec {
			s := newFrontEnd(editions["2016"])
			s.sharePoint.Issuers = []model.TokenIssuer{{
				Name: "gr\u00fcn \u2019\"\\ [farmtrust 2026-11-01T00:00:00.000Z]", RegisteredIssuerName: sqlIssuer, Certificate: c.der,
				Description: "x [farmtrust 2026-11-01T00:00:00.000Z]",
			}}
			s.sharePoint.Authorities = []model.RootAuthority{{Name: "r", Certificate: c.der}}
			return s
		}
		direct := mustRun(t, newServer(t, spec()), observation())
		task := mustRun(t, newTaskServer(t, spec()).runner(), observation())
		if diff := cmp.Diff(direct, task, cmpopts.IgnoreFields(powershell.Machine{}, "Clock")); diff != "" {
			t.Errorf("direct -, by task +:\n%s", diff)
		}
	})
}

func TestTask_RollsBack(t *testing.T) {
	t.Parallel()
	old, ours := newCertificate(t, "s2s.contoso.com"), newCertificate(t, "s2s.contoso.com")
	s := newTaskServer(t, newFrontEnd(editions["2016"]))
	before := s.state()
	mustRun(t, s.runner(), powershell.AddRootAuthority{Authorities: []powershell.RootAuthorityCertificate{{Name: "OOS root", Certificate: ours.der}}})
	mustRun(t, s.runner(), trustOf(ours, sharePointIssuer, "OOS"))
	if done := mustRun(t, s.runner(), powershell.RemoveRootAuthority{Thumbprints: []string{ours.thumbprint}, RegisteredNames: []string{sharePointIssuer}}); !cmp.Equal(done.Removed, []string{"OOS root"}) {
		t.Errorf("root authority: %+v", done)
	}
	if done := mustRun(t, s.runner(), restoreOf(ours, nil, noPermission)); !done.Removed {
		t.Errorf("issuer: %+v", done)
	}
	assertPermissions(t, s.testServer, nil)
	if diff := cmp.Diff(before, s.state(), cmpopts.IgnoreFields(serverState{}, "Permissions"), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("before -, after +:\n%s", diff)
	}
	mustRun(t, s.runner(), trustOf(old, sharePointIssuer, "OOS"))
	mustRun(t, s.runner(), trustOf(ours, sharePointIssuer, "OOS"))
	was := powershell.SitePermission{Site: site, Right: "FullControl", AppOnly: true}
	if done := mustRun(t, s.runner(), restoreOf(ours, old.der, was)); !done.Updated {
		t.Errorf("issuer that was there: %+v", done)
	}
}

func TestTask_Run(t *testing.T) {
	t.Parallel()
	t.Run("errors keep their ID", func(t *testing.T) {
		t.Parallel()
		c := newCertificate(t, "s2s.contoso.com")
		spec := newFrontEnd(editions["2016"])
		spec.sharePoint.Issuers = []model.TokenIssuer{issuerOf(c, "one"), issuerOf(c, "two")}
		s := newTaskServer(t, spec)
		refused := requireRefusal(t, s.runner(), trustOf(c, sharePointIssuer, "OOS"), powershell.IssuerAmbiguous)
		if refused.Script != "Set-TrustedIssuer" || refused.Server != target.Host || refused.Line == 0 {
			t.Errorf("got %+v", refused)
		}
		elsewhere := trustOf(c, sqlIssuer, "OOS")
		elsewhere.Sites = []string{"https://nowhere.contoso.com"}
		refused = requireRefusal(t, s.runner(), elsewhere, "Microsoft.SharePoint.PowerShell.SPCmdletGetSite")
		if refused.Category != "InvalidData" {
			t.Errorf("got %+v", refused)
		}
	})
	t.Run("a task that hangs is given up and its request withdrawn", func(t *testing.T) {
		t.Parallel()
		spec := newFrontEnd(editions["2016"])
		s := newTaskServer(t, spec)
		// Running, and not at its end.
		spec.override("Get-ScheduledTaskInfo", pwsh.Return(
			pwsh.Object("MSFT_TaskDynamicInfo", map[string]any{"LastTaskResult": 267009, "LastRunTime": nil})))
		const script = "exit 0"
		s.install(script)
		params := powershell.InvokeSharePointTask{
			Verb: "Get-SharePointFarm", Parameters: json.RawMessage("{}"), Hash: powershell.HashTask(script), Seconds: 1,
		}
		assertRefused(t, s, params, powershell.TaskTimeout)
		s.assertNoRequests()
	})
	t.Run("runs only its verbs", func(t *testing.T) {
		t.Parallel()
		s := newTaskServer(t, newFrontEnd(editions["2016"]))
		_, err := powershell.Run(t.Context(), s.runner(), target, powershell.GetSharePointServer{})
		if err == nil || !strings.Contains(err.Error(), "does not run this script") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("signature and line ends are not part of the version", func(t *testing.T) {
		t.Parallel()
		s := newTaskServer(t, newFrontEnd(editions["2016"]))
		signed := strings.ReplaceAll(s.script, "\n", "\r\n") +
			"\r\n# SIG # Begin signature block\r\n# MIIFuQYJKoZIhvcNAQcCoIIFqjCCBaYCAQExCzAJBgUrDgMCGgUAMGkGCisGAQQB\r\n# SIG # End signature block\r\n"
		s.install("\uFEFF" + signed)
		if got := mustRun(t, s.runner(), observation()); got.Version == "" {
			t.Errorf("observed %+v", got)
		}
		if powershell.HashTask(signed) != powershell.HashTask(s.script) {
			t.Error("the worker's hash of the signed script differs")
		}
	})
	// Where a policy has PowerShell run what is not signed, the hash alone tells.
	t.Run("whatever could be code is part of the version", func(t *testing.T) {
		t.Parallel()
		const begin, end = "\n# SIG # Begin signature block\n# MIIFuQ==\n", "# SIG # End signature block\n"
		for name, change := range map[string]func(script string) string{
			"code in place of a signature": func(s string) string { return s + "\n# SIG # Begin signature block\nGet-Process\n" },
			"code in a signature":          func(s string) string { return s + begin + "Get-Process\n" + end },
			"code after a signature":       func(s string) string { return s + begin + end + "Get-Process\n" },
			"code after two signatures":    func(s string) string { return s + begin + end + "Get-Process\n" + begin + end },
			"code behind a base64 line":    func(s string) string { return s + begin + "# MII;Get-Process\n" + end },
			"a signature that has no end":  func(s string) string { return s + begin },
			"a comment that a return ends": func(s string) string { return strings.Replace(s, "# ", "# \r", 1) },
		} {
			s := newTaskServer(t, newFrontEnd(editions["2016"]))
			changed := change(s.script)
			s.install(changed)
			_, err := powershell.Run(t.Context(), s.runner(), target, observation())
			if failed, ok := errors.AsType[*powershell.ScriptError](err); !ok || failed.ID != powershell.TaskVersion {
				t.Errorf("%s: got %v, want another version", name, err)
			}
			if powershell.HashTask(changed) == powershell.HashTask(s.script) {
				t.Errorf("%s: the hash is the same", name)
			}
		}
	})
}

// A task that is not there, or not ours, is refused before anything runs.
func TestTask_RefusedBeforeItRuns(t *testing.T) {
	t.Parallel()
	c := newCertificate(t, "s2s.contoso.com")
	cases := []struct {
		name  string
		spec  func(s *serverSpec)
		spoil func(s *taskServer)
		id    string
	}{
		{name: "no script", spoil: func(s *taskServer) { s.remove("farmtrust-sharepoint.ps1") }, id: powershell.TaskMissing},
		{
			name: "no task", spoil: func(s *taskServer) { requireNoError(s.t, s.session().UnregisterTask("farmtrust-sharepoint")) },
			id: powershell.TaskMissing,
		},
		{name: "disabled", spec: func(s *serverSpec) { s.override("Get-ScheduledTask", pwsh.Edit("State", "Disabled")) }, id: powershell.TaskMissing},
		{
			name: "another version", spoil: func(s *taskServer) { s.install(strings.Replace(s.script, "FullControl", "Write", 1)) },
			id: powershell.TaskVersion,
		},
		{name: "a script that does not start", spoil: func(s *taskServer) { s.remove("results") }, id: powershell.TaskFailed},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			spec := newFrontEnd(editions["2016"])
			if test.spec != nil {
				test.spec(spec)
			}
			s := newTaskServer(t, spec)
			if test.spoil != nil {
				test.spoil(s)
			}
			assertRefused(t, s.runner(), trustOf(c, sharePointIssuer, "OOS"), test.id)
			if issuers := s.state().Issuers; len(issuers) != 0 {
				t.Errorf("issuers were made: %+v", issuers)
			}
			s.assertNoRequests()
			if started := s.ran.Load(); started != (test.id == powershell.TaskFailed) {
				t.Errorf("the task was started: %v", started)
			}
		})
	}
}

func (s *taskServer) remove(parts ...string) {
	s.t.Helper()
	requireNoError(s.t, os.RemoveAll(s.path(parts...)))
}
