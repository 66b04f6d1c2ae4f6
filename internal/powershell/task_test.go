package powershell_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

func TestTheTaskDoesWhatADirectCallCannot(t *testing.T) {
	t.Parallel()
	old, renewed := makeCertificate(t, "s2s.contoso.com"), makeCertificate(t, "s2s.contoso.com")
	for edition, version := range editions {
		t.Run(edition, func(t *testing.T) {
			t.Parallel()
			h := newHop(t, frontEnd(version))
			refused(t, h.engine, observation(), powershell.SecondHop)

			root := powershell.AddRootAuthority{Authorities: []powershell.RootAuthorityCertificate{{Name: "OOS root", Certificate: old.der}}}
			if first, second := byTask(h, root), byTask(h, root); !first.Changed || second.Changed {
				t.Errorf("root authority: first %+v, then %+v", first, second)
			}
			created := byTask(h, trust(old, sharePointIssuer, "OOS SharePoint Server"))
			if !created.Created || !cmp.Equal(created.Granted, []string{site}) {
				t.Errorf("first set-up: %+v", created)
			}
			if again := byTask(h, trust(old, sharePointIssuer, "OOS SharePoint Server")); again.Changed {
				t.Errorf("again: %+v", again)
			}
			if updated := byTask(h, trust(renewed, sharePointIssuer, "OOS SharePoint Server")); !updated.Updated {
				t.Errorf("renewal: %+v", updated)
			}
			got := byTask(h, observation())
			if len(got.Issuers) != 1 || got.Issuers[0].Thumbprint != renewed.thumbprint || len(got.RootAuthorities) != 1 {
				t.Errorf("observed %+v", got)
			}
			if left := h.files("requests"); len(left) != 0 {
				t.Errorf("requests left: %v", left)
			}
		})
	}
}

func TestTheTaskSeesWhatADirectCallWouldSee(t *testing.T) {
	t.Parallel()
	m := makeCertificate(t, "s2s.contoso.com")
	world := func() map[string]any {
		w := with(frontEnd(editions["2016"]), "sharePoint", "issuers", []issuerEntry{
			{Name: "gr\u00fcn \u2019\"\\ [farmtrust 2026-11-01T00:00:00.000Z]", RegisteredName: sqlIssuer, Certificate: m.der, Description: "x [farmtrust 2026-11-01T00:00:00.000Z]"},
		})
		return with(w, "sharePoint", "authorities", []authorityEntry{{Name: "local"}, {Name: "r", Certificate: m.der}})
	}
	direct := run(t, newEngine(t, world()), observation())
	task := byTask(newHop(t, world()), observation())
	direct.Machine.Clock, task.Machine.Clock = time.Time{}, time.Time{}
	if diff := cmp.Diff(direct, task); diff != "" {
		t.Errorf("direct -, by task +:\n%s", diff)
	}
}

func TestTheTaskPutsBackWhatItDid(t *testing.T) {
	t.Parallel()
	old, ours := makeCertificate(t, "s2s.contoso.com"), makeCertificate(t, "s2s.contoso.com")
	h := newHop(t, frontEnd(editions["2016"]))
	before := h.state(t).SharePoint
	byTask(h, powershell.AddRootAuthority{Authorities: []powershell.RootAuthorityCertificate{{Name: "OOS root", Certificate: ours.der}}})
	byTask(h, trust(ours, sharePointIssuer, "OOS"))
	if done := byTask(h, powershell.RemoveRootAuthority{Thumbprints: []string{ours.thumbprint}}); !cmp.Equal(done.Removed, []string{"OOS root"}) {
		t.Errorf("root authority: %+v", done)
	}
	if done := byTask(h, back(ours, nil, nothing)); !done.Removed {
		t.Errorf("issuer: %+v", done)
	}
	if diff := cmp.Diff(before, h.state(t).SharePoint); diff != "" {
		t.Errorf("before -, after +:\n%s", diff)
	}
	byTask(h, trust(old, sharePointIssuer, "OOS"))
	byTask(h, trust(ours, sharePointIssuer, "OOS"))
	was := powershell.SitePermission{Site: site, Right: "FullControl", AppOnly: true}
	if done := byTask(h, back(ours, old.der, was)); !done.Updated {
		t.Errorf("issuer that was there: %+v", done)
	}
}

func TestErrorsKeepTheirIdentityThroughTheTask(t *testing.T) {
	t.Parallel()
	m := makeCertificate(t, "s2s.contoso.com")
	twins := []issuerEntry{
		{Name: "one", RegisteredName: sharePointIssuer, Certificate: m.der}, {Name: "two", RegisteredName: sharePointIssuer, Certificate: m.der},
	}
	h := newHop(t, with(frontEnd(editions["2016"]), "sharePoint", "issuers", twins))
	said := refusedByTask(h, trust(m, sharePointIssuer, "OOS"), powershell.IssuerAmbiguous)
	if said.Script != "Set-TrustedIssuer" || said.Server != "sp-01" || said.Line == 0 {
		t.Errorf("got %+v", said)
	}
	elsewhere := trust(m, sqlIssuer, "OOS")
	elsewhere.Sites = []string{"https://nowhere.contoso.com"}
	if said := refusedByTask(h, elsewhere, "Microsoft.SharePoint.PowerShell.SPCmdletGetSite"); said.Exception != "System.IO.FileNotFoundException" {
		t.Errorf("exception %s", said.Exception)
	}
}

func TestATaskThatIsNotThereOrNotOursIsRefusedBeforeAnythingRuns(t *testing.T) {
	t.Parallel()
	m := makeCertificate(t, "s2s.contoso.com")
	cases := []struct {
		claim string
		spoil func(h *hop)
		id    string
	}{
		{"no script", func(h *hop) { h.remove("farmtrust-sharepoint.ps1") }, powershell.TaskMissing},
		{"no task", func(h *hop) { h.register(nil) }, powershell.TaskMissing},
		{"disabled", func(h *hop) { h.register(map[string]any{"state": "Disabled"}) }, powershell.TaskMissing},
		{"another version", func(h *hop) { h.install(strings.Replace(h.script, "FullControl", "Write", 1)) }, powershell.TaskVersion},
		{"a script that does not start", func(h *hop) { h.remove("results") }, powershell.TaskFailed},
	}
	for _, c := range cases {
		t.Run(c.claim, func(t *testing.T) {
			t.Parallel()
			h := newHop(t, frontEnd(editions["2016"]))
			c.spoil(h)
			refusedByTask(h, trust(m, sharePointIssuer, "OOS"), c.id)
			if issuers := h.state(t).SharePoint.Issuers; len(issuers) != 0 {
				t.Errorf("issuers were made: %+v", issuers)
			}
			if left := h.files("requests"); len(left) != 0 {
				t.Errorf("requests left: %v", left)
			}
			if c.id != powershell.TaskFailed && len(h.files("results")) != 0 {
				t.Error("the task was started")
			}
		})
	}
}

func (h *hop) remove(parts ...string) {
	h.t.Helper()
	if err := os.RemoveAll(h.path(parts...)); err != nil {
		h.t.Fatal(err)
	}
}

func TestATaskThatDoesNotAnswerIsGivenUpAndItsRequestTakenBack(t *testing.T) {
	t.Parallel()
	h := newHop(t, frontEnd(editions["2016"]))
	h.register(map[string]any{"argument": "-File \"x\"", "state": "Running", "result": 267009, "lastRun": nil, "hangs": true})
	call := powershell.InvokeSharePointTask{
		Verb: "Get-SharePointFarm", Parameters: json.RawMessage("{}"), Hash: powershell.HashTask(h.script), Seconds: 1,
	}
	refused(t, h.engine, call, powershell.TaskTimeout)
	if left := h.files("requests"); len(left) != 0 {
		t.Errorf("requests left: %v", left)
	}
}

func TestOnlyTheTasksVerbsGoByTask(t *testing.T) {
	t.Parallel()
	h := newHop(t, frontEnd(editions["2016"]))
	_, err := powershell.Run(t.Context(), h.task(), powershell.Target{Host: "sp-01"}, powershell.GetSharePointServer{})
	if err == nil || !strings.Contains(err.Error(), "does not run this script") {
		t.Errorf("got %v", err)
	}
}

func TestASignatureAndLineEndsLeaveTheVersionAsItIs(t *testing.T) {
	t.Parallel()
	h := newHop(t, frontEnd(editions["2016"]))
	signed := strings.ReplaceAll(h.script, "\n", "\r\n") +
		"\r\n# SIG # Begin signature block\r\n# MIIFuQYJKoZIhvcNAQcCoIIFqjCCBaYCAQExCzAJBgUrDgMCGgUAMGkGCisGAQQB\r\n# SIG # End signature block\r\n"
	h.install("\uFEFF" + signed)
	if got := byTask(h, observation()); got.Version == "" {
		t.Errorf("observed %+v", got)
	}
	if powershell.HashTask(signed) != powershell.HashTask(h.script) {
		t.Error("the worker's hash of the signed script differs")
	}
}

func TestWhatIsNoPublicCertificateIsRefusedDirectlyToo(t *testing.T) {
	t.Parallel()
	m := makeCertificate(t, "s2s.contoso.com")
	params := trust(m, sharePointIssuer, "OOS")
	params.Certificate = m.pfx
	e := newEngine(t, frontEnd(editions["2016"]))
	refused(t, e, params, powershell.NotPublic)
	if issuers := e.state(t).SharePoint.Issuers; len(issuers) != 0 {
		t.Errorf("issuers were made: %+v", issuers)
	}
}
