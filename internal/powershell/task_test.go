package powershell_test

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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

// hop is a front end whose sessions do not reach SQL Server, with the task
// installed: its script, with stand-ins for Windows, runs in a PowerShell of
// its own that does.
type hop struct {
	*engine
	t      *testing.T
	script string
}

func newHop(t *testing.T, world map[string]any) *hop {
	t.Helper()
	with(world, "sharePoint", "reachable", false)
	h := &hop{engine: newEngine(t, world), t: t}
	machine, err := h.machine()
	if err != nil {
		t.Fatal(err)
	}
	h.script = powershell.TaskScriptOn(machine)
	for _, folder := range []string{"requests", "results"} {
		if err := os.MkdirAll(h.path(folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	h.install(h.script)
	return h
}

func (h *hop) path(parts ...string) string {
	return filepath.Join(append([]string{filepath.Dir(h.world), "farmtrust"}, parts...)...)
}

func (h *hop) install(script string) {
	h.t.Helper()
	if err := os.WriteFile(h.path("farmtrust-sharepoint.ps1"), []byte(script), 0o600); err != nil {
		h.t.Fatal(err)
	}
	h.register(map[string]any{"argument": fmt.Sprintf("-File %q", watched(h.t, h.path("farmtrust-sharepoint.ps1"))), "result": 267011, "state": "Ready", "lastRun": nil, "hangs": false})
}

// register sets the scheduled task; nil removes it.
func (h *hop) register(task map[string]any) {
	h.t.Helper()
	raw, err := os.ReadFile(h.world)
	if err != nil {
		h.t.Fatal(err)
	}
	var world map[string]any
	if err := json.Unmarshal(raw, &world); err != nil {
		h.t.Fatal(err)
	}
	world["tasks"] = map[string]any{"farmtrust-sharepoint": task}
	if task == nil {
		world["tasks"] = map[string]any{}
	}
	if raw, err = json.Marshal(world); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(h.world, raw, 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// task is the runner that goes by way of the task.
func (h *hop) task() powershell.Runner { return powershell.ByTaskOf(h.engine, h.script) }

// files lists a folder of the task.
func (h *hop) files(folder string) []string {
	h.t.Helper()
	entries, err := os.ReadDir(h.path(folder))
	if err != nil {
		h.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func byTask[R any](h *hop, params powershell.Params[R]) R {
	h.t.Helper()
	result, err := powershell.Run(h.t.Context(), h.task(), powershell.Target{Host: "sp-01"}, params)
	if err != nil {
		h.t.Fatalf("%s: %v", params.Script(), err)
	}
	return result
}

// refusedByTask demands that a call by way of the task is refused with id.
func refusedByTask[R any](h *hop, params powershell.Params[R], id string) *powershell.ScriptError {
	h.t.Helper()
	_, err := powershell.Run(h.t.Context(), h.task(), powershell.Target{Host: "sp-01"}, params)
	return saysNo(h.t, err, id)
}

func observation() powershell.GetSharePointFarm {
	return powershell.GetSharePointFarm{
		Sites: []string{site}, RegisteredNames: []string{sharePointIssuer, sqlIssuer}, Names: []string{"OOS SharePoint Server"},
	}
}

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
	if err == nil || !strings.Contains(err.Error(), "does not take it") {
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

// request is one as the fixed script finds it, with what is wrong put in.
func (h *hop) request(edit func(map[string]any)) map[string]any {
	fields := map[string]any{
		"id": newID(), "verb": "Get-SharePointFarm", "script": powershell.HashTask(h.script), "expires": time.Now().Add(time.Minute).Unix(),
		"params": map[string]any{"Sites": []string{site}, "RegisteredNames": []string{sharePointIssuer}, "Names": nil},
	}
	if edit != nil {
		edit(fields)
	}
	return fields
}

func newID() string {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails
	return hex.EncodeToString(raw)
}

// ordered writes a request with its fields in their order.
func ordered(fields map[string]any) string {
	var parts []string
	write := func(key string) {
		if value, ok := fields[key]; ok {
			raw, err := json.Marshal(value)
			if err != nil {
				panic(err)
			}
			parts = append(parts, fmt.Sprintf("%q:%s", key, raw))
		}
	}
	order := []string{"id", "verb", "script", "expires", "params"}
	for _, key := range order {
		write(key)
	}
	for key := range fields {
		if !slices.Contains(order, key) {
			write(key)
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func (h *hop) put(name, content string) {
	h.t.Helper()
	if err := os.WriteFile(h.path("requests", name), []byte(content), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// runTask runs the fixed script once, as the scheduler does.
func (h *hop) runTask() {
	h.t.Helper()
	h.setEnv = []string{"FARMTRUST_TASK=yes"}
	stdout, stderr, exit, err := h.startWith(h.t.Context(), []string{"-NoProfile", "-NonInteractive", "-File", watched(h.t, h.path("farmtrust-sharepoint.ps1"))}, nil)
	if err != nil || exit != 0 || len(stdout) != 0 {
		h.t.Fatalf("exit code %d, %v\n%s%s", exit, err, stdout, stderr)
	}
}

// written is an answer as the fixed script writes it.
type written struct {
	ID     string          `json:"id"`
	Script string          `json:"script"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		ID      string `json:"id"`
		Message string `json:"message"`
	} `json:"error"`
}

func (h *hop) answer(id string) written {
	h.t.Helper()
	raw, err := os.ReadFile(h.path("results", id+".json"))
	if err != nil {
		h.t.Fatal(err)
	}
	var a written
	if err := json.Unmarshal(raw, &a); err != nil {
		h.t.Fatalf("%v in %s", err, raw)
	}
	if a.ID != id || a.Script != powershell.HashTask(h.script) {
		h.t.Errorf("the answer says request %s, script %s", a.ID, a.Script)
	}
	return a
}

func TestHostileRequestsAreRefusedBeforeAnythingRuns(t *testing.T) {
	t.Parallel()
	h := newHop(t, frontEnd(editions["2016"]))
	m := makeCertificate(t, "s2s.contoso.com")
	pkcs8, pkcs1, pkcs7 := privateForms(t)
	issuer := func(edit func(params map[string]any)) func(map[string]any) {
		return func(r map[string]any) {
			params := map[string]any{"Name": "OOS", "RegisteredName": sharePointIssuer, "Certificate": m.der, "Sites": []string{site}}
			edit(params)
			r["verb"], r["params"] = "Set-TrustedIssuer", params
		}
	}
	certificate := func(der any) func(map[string]any) {
		return issuer(func(p map[string]any) { p["Certificate"] = der })
	}
	field := func(key string, value any) func(map[string]any) {
		return func(r map[string]any) { r[key] = value }
	}
	restore := func(edit func(params map[string]any)) func(map[string]any) {
		return func(r map[string]any) {
			params := map[string]any{
				"RegisteredName": sharePointIssuer, "Ours": m.thumbprint, "Previous": "", "Description": "",
				"Permissions": []any{map[string]any{"Site": site, "Right": "", "AppOnly": false}},
			}
			edit(params)
			r["verb"], r["params"] = "Restore-TrustedIssuer", params
		}
	}
	permission := func(key string, value any) func(map[string]any) {
		return restore(func(p map[string]any) {
			was := map[string]any{"Site": site, "Right": "", "AppOnly": false}
			was[key] = value
			p["Permissions"] = []any{was}
		})
	}
	cases := []struct {
		claim string
		edit  func(map[string]any)
		id    string
	}{
		{"another issuer to put back", restore(func(p map[string]any) { p["RegisteredName"] = "x@y" }), powershell.TaskRefused},
		{"a PFX to put back", restore(func(p map[string]any) { p["Previous"] = m.pfx }), powershell.TaskRefused},
		{"a thumbprint that is a pattern", restore(func(p map[string]any) { p["Ours"] = "*" }), powershell.TaskRefused},
		{"a right that is none", permission("Right", "Everything"), powershell.TaskRefused},
		{"a flag that is text", permission("AppOnly", "yes"), powershell.TaskRefused},
		{"a permission with a scope", permission("Scope", "Farm"), powershell.TaskRefused},
		{"an authority to remove by name", func(r map[string]any) {
			r["verb"], r["params"] = "Remove-RootAuthority", map[string]any{"Thumbprints": []string{"local"}}
		}, powershell.TaskRefused},
		{"a verb of another script", field("verb", "Restart-SharePointServer"), powershell.TaskRefused},
		{"a command as verb", field("verb", "Get-SharePointFarm; Stop-Computer"), powershell.TaskRefused},
		{"a verb in other letters", field("verb", "get-sharepointfarm"), powershell.TaskRefused},
		{"a part of a request as verb", field("verb", "Authority"), powershell.TaskRefused},
		{"several verbs", field("verb", []string{"Get-SharePointFarm"}), powershell.TaskRefused},
		{"no verb", func(r map[string]any) { delete(r, "verb") }, powershell.TaskRefused},
		{"an extra field", field("runAs", "SYSTEM"), powershell.TaskRefused},
		{"another version", field("script", strings.Repeat("0", 64)), powershell.TaskVersion},
		{"another request's ID", field("id", newID()), powershell.TaskRefused},
		{"a path as ID", field("id", `..\..\x`), powershell.TaskRefused},
		{"expired", field("expires", time.Now().Add(-time.Minute).Unix()), powershell.TaskRefused},
		{"valid for ever", field("expires", time.Now().Add(24*time.Hour).Unix()), powershell.TaskRefused},
		{"an end that is text", field("expires", "tomorrow"), powershell.TaskRefused},
		{"parameters that are text", field("params", "-Sites x"), powershell.TaskRefused},
		{"parameters that are a list", field("params", []string{"x"}), powershell.TaskRefused},
		{"an extra parameter", issuer(func(p map[string]any) { p["Right"] = "FullControl" }), powershell.TaskRefused},
		{"an extra scope", issuer(func(p map[string]any) { p["Scope"] = "Site" }), powershell.TaskRefused},
		{"an engine's parameter", issuer(func(p map[string]any) { p["ErrorAction"] = "Continue" }), powershell.TaskRefused},
		{"another issuer", issuer(func(p map[string]any) {
			p["RegisteredName"] = "00000003-0000-0ff1-ce00-000000000000@bd2372e4-0a11-495c-9541-8377c6def195"
		}), powershell.TaskRefused},
		{"an issuer in capitals", issuer(func(p map[string]any) { p["RegisteredName"] = strings.ToUpper(sharePointIssuer) }), powershell.TaskRefused},
		{"an issuer and a line feed", issuer(func(p map[string]any) { p["RegisteredName"] = sharePointIssuer + "\n" }), powershell.TaskRefused},
		{"a site that is a path", issuer(func(p map[string]any) { p["Sites"] = []string{`C:\Windows`} }), powershell.TaskRefused},
		{"one site without a list", issuer(func(p map[string]any) { p["Sites"] = site }), powershell.TaskRefused},
		{"a site that is an object", issuer(func(p map[string]any) { p["Sites"] = []any{map[string]any{"Url": site}} }), powershell.TaskRefused},
		{"a name with a control character", issuer(func(p map[string]any) { p["Name"] = "OOS\x1b[2J" }), powershell.TaskRefused},
		{"a certificate that is no base64", certificate("***"), powershell.TaskRefused},
		{"a certificate that is no DER", certificate([]byte(strings.Repeat("x", 500))), powershell.TaskRefused},
		{"a certificate in PEM", certificate([]byte("-----BEGIN CERTIFICATE-----\n" + strings.Repeat("A", 500))), powershell.TaskRefused},
		{"a PFX", certificate(m.pfx), powershell.TaskRefused},
		{"a PKCS #8 key", certificate(pkcs8), powershell.TaskRefused},
		{"a PKCS #1 key", certificate(pkcs1), powershell.TaskRefused},
		{"PKCS #7", certificate(pkcs7), powershell.TaskRefused},
		{"a key behind the certificate", certificate(append(slices.Clone(m.der), pkcs8...)), powershell.TaskRefused},
		{"a truncated certificate", certificate(m.der[:len(m.der)-1]), powershell.TaskRefused},
		{"an authority with more fields", func(r map[string]any) {
			r["verb"], r["params"] = "Add-RootAuthority", map[string]any{"Authorities": []any{map[string]any{"Name": "x", "Certificate": m.der, "Path": "x"}}}
		}, powershell.TaskRefused},
	}
	ids := map[string]string{}
	for _, c := range cases {
		r := h.request(nil)
		name, _ := r["id"].(string)
		c.edit(r)
		ids[c.claim] = name
		h.put(name+".json", ordered(r))
	}
	raw := map[string]string{"no JSON": "Get-SPFarm", "nothing": "", "a list": "[]", "twice the same field": `{"id":"a","id":"b"}`, "huge": strings.Repeat(" ", 1<<20) + "{}"}
	for claim, content := range raw {
		ids[claim] = newID()
		h.put(ids[claim]+".json", content)
	}
	before := h.state(t)
	h.runTask()
	for _, c := range cases {
		if a := h.answer(ids[c.claim]); a.Error == nil || a.Error.ID != c.id || a.Result != nil {
			t.Errorf("%s: %+v, want a refusal with %s", c.claim, a, c.id)
		}
	}
	for claim := range raw {
		if a := h.answer(ids[claim]); a.Error == nil || a.Error.ID != powershell.TaskRefused {
			t.Errorf("%s: %+v", claim, a)
		}
	}
	if diff := cmp.Diff(before, h.state(t)); diff != "" {
		t.Errorf("something was changed:\n%s", diff)
	}
}

func TestFilesThatAreNoRequestsAreLeftAlone(t *testing.T) {
	t.Parallel()
	h := newHop(t, frontEnd(editions["2016"]))
	for _, name := range []string{
		"x.json", strings.ToUpper(newID()) + ".json", newID() + ".JSON", newID() + ".json.txt", ".." + newID() + ".json", newID() + "\n.json",
	} {
		h.put(name, ordered(h.request(nil)))
	}
	target, link := filepath.Join(t.TempDir(), "elsewhere"), newID()
	request := h.request(func(r map[string]any) { r["id"] = link })
	if err := os.WriteFile(target, []byte(ordered(request)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, h.path("requests", link+".json")); err != nil {
		t.Fatal(err)
	}
	h.runTask()
	if got := h.files("results"); !cmp.Equal(got, []string{link + ".json"}) {
		t.Fatalf("answers %v", got)
	}
	if a := h.answer(link); a.Error == nil || a.Error.ID != powershell.TaskRefused {
		t.Errorf("a link was followed: %+v", a)
	}
}

func TestWaitingRequestsAreAnsweredOnceEach(t *testing.T) {
	t.Parallel()
	h := newHop(t, frontEnd(editions["2016"]))
	first, second := h.request(nil), h.request(nil)
	one, two := first["id"].(string), second["id"].(string)
	h.put(one+".json", ordered(first))
	h.put(two+".json", ordered(second))
	h.runTask()
	if a, b := h.answer(one), h.answer(two); a.Error != nil || b.Error != nil {
		t.Fatalf("answers %+v and %+v", a, b)
	}
	// The same request again, and one whose answer somebody has claimed.
	marked := []byte(`{"id":"claimed"}`)
	if err := os.WriteFile(h.path("results", one+".json"), marked, 0o600); err != nil {
		t.Fatal(err)
	}
	h.runTask()
	if got, err := os.ReadFile(h.path("results", one+".json")); err != nil || !cmp.Equal(got, marked) {
		t.Errorf("a replayed request was answered anew: %s, %v", got, err)
	}
}

func TestBothSidesCleanUpWhatTheyWrote(t *testing.T) {
	t.Parallel()
	h := newHop(t, frontEnd(editions["2016"]))
	stale := time.Now().Add(-2 * time.Hour)
	abandoned := newID() + ".json"
	h.put(abandoned, ordered(h.request(nil)))
	done := h.path("results", newID()+".json")
	if err := os.WriteFile(done, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{h.path("requests", abandoned), done} {
		if err := os.Chtimes(path, stale, stale); err != nil {
			t.Fatal(err)
		}
	}
	byTask(h, observation())
	if left := h.files("requests"); len(left) != 0 {
		t.Errorf("requests left: %v", left)
	}
	if got := h.files("results"); len(got) != 1 || filepath.Base(done) == got[0] {
		t.Errorf("answers left: %v, want the one of just now", got)
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
