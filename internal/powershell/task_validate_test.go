package powershell_test

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
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

// newRequest returns the fields of a valid request, changed by edit.
func (s *taskServer) newRequest(edit func(map[string]any)) map[string]any {
	fields := map[string]any{
		"id": newID(), "verb": "Get-SharePointFarm", "script": powershell.HashTask(s.script), "expires": time.Now().Add(time.Minute).Unix(),
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

// formatRequest returns a request with its fields in their order.
func formatRequest(fields map[string]any) string {
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

func (s *taskServer) writeRequest(name, content string) {
	s.t.Helper()
	if err := os.WriteFile(s.path("requests", name), []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// taskOutcome is what the task's script writes about a request.
type taskOutcome struct {
	ID     string          `json:"id"`
	Script string          `json:"script"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		ID      string `json:"id"`
		Message string `json:"message"`
	} `json:"error"`
}

func (s *taskServer) readResult(id string) taskOutcome {
	s.t.Helper()
	raw, err := os.ReadFile(s.path("results", id+".json"))
	if err != nil {
		s.t.Fatal(err)
	}
	var a taskOutcome
	if err := json.Unmarshal(raw, &a); err != nil {
		s.t.Fatalf("%v in %s", err, raw)
	}
	if a.ID != id || a.Script != powershell.HashTask(s.script) {
		s.t.Errorf("the result names request %s, script %s", a.ID, a.Script)
	}
	return a
}

// assertRejected asserts that the task's script rejected a request.
func (s *taskServer) assertRejected(t *testing.T, request, id string) {
	t.Helper()
	if a := s.readResult(request); a.Error == nil || a.Error.ID != id || a.Result != nil {
		t.Errorf("%+v, want an error with %s", a, id)
	}
}

// Nothing of a hostile request runs. One run of the script, which a process of
// its own takes, has all requests.
func TestTaskRequest_HostileIsRejected(t *testing.T) {
	t.Parallel()
	s := newTaskServer(t, newFrontEnd(editions["2016"]))
	m := newCertificate(t, "s2s.contoso.com")
	pkcs8, pkcs1, pkcs7 := newPrivateForms(t)
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
		name string
		edit func(map[string]any)
		id   string
	}{
		{"another issuer to restore", restore(func(p map[string]any) { p["RegisteredName"] = "x@y" }), powershell.TaskRefused},
		{"a PFX to restore", restore(func(p map[string]any) { p["Previous"] = m.pfx }), powershell.TaskRefused},
		{"a thumbprint that is a pattern", restore(func(p map[string]any) { p["Ours"] = "*" }), powershell.TaskRefused},
		{"an unknown right", permission("Right", "Everything"), powershell.TaskRefused},
		{"a flag that is text", permission("AppOnly", "yes"), powershell.TaskRefused},
		{"a permission with a scope", permission("Scope", "Farm"), powershell.TaskRefused},
		{"an authority to remove by name", func(r map[string]any) {
			r["verb"], r["params"] = "Remove-RootAuthority", map[string]any{"Thumbprints": []string{"local"}}
		}, powershell.TaskRefused},
		{"a verb of another script", field("verb", "Restart-SharePointServer"), powershell.TaskRefused},
		{"a command as verb", field("verb", "Get-SharePointFarm; Stop-Computer"), powershell.TaskRefused},
		{"a verb in other letters", field("verb", "get-sharepointfarm"), powershell.TaskRefused},
		{"a part of a request as verb", field("verb", "Authority"), powershell.TaskRefused},
		{"a verb with an invisible character", field("verb", "Get-SharePoint\u00adFarm"), powershell.TaskRefused},
		{"several verbs", field("verb", []string{"Get-SharePointFarm"}), powershell.TaskRefused},
		{"no verb", func(r map[string]any) { delete(r, "verb") }, powershell.TaskRefused},
		{"an extra field", field("runAs", "SYSTEM"), powershell.TaskRefused},
		{"another version", field("script", strings.Repeat("0", 64)), powershell.TaskVersion},
		{"another request's ID", field("id", newID()), powershell.TaskRefused},
		{"a path as ID", field("id", `..\..\x`), powershell.TaskRefused},
		{"expired", field("expires", time.Now().Add(-time.Minute).Unix()), powershell.TaskRefused},
		{"valid for a day", field("expires", time.Now().Add(24*time.Hour).Unix()), powershell.TaskRefused},
		{"an expiry that is text", field("expires", "tomorrow"), powershell.TaskRefused},
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
		{"an issuer with an invisible character", issuer(func(p map[string]any) { p["RegisteredName"] = sharePointIssuer + "\u00ad" }), powershell.TaskRefused},
		{"a right with an invisible character", permission("Right", "Re\u00adad"), powershell.TaskRefused},
		{"a site that is a path", issuer(func(p map[string]any) { p["Sites"] = []string{`C:\Windows`} }), powershell.TaskRefused},
		{"one site without a list", issuer(func(p map[string]any) { p["Sites"] = site }), powershell.TaskRefused},
		{"a site that is an object", issuer(func(p map[string]any) { p["Sites"] = []any{map[string]any{"Url": site}} }), powershell.TaskRefused},
		{"a name with a control character", issuer(func(p map[string]any) { p["Name"] = "OOS\x1b[2J" }), powershell.TaskRefused},
		{"a certificate that is not base64", certificate("***"), powershell.TaskRefused},
		{"a certificate that is not DER", certificate([]byte(strings.Repeat("x", 500))), powershell.TaskRefused},
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
		r := s.newRequest(nil)
		name, _ := r["id"].(string)
		c.edit(r)
		ids[c.name] = name
		s.writeRequest(name+".json", formatRequest(r))
	}
	raw := map[string]string{"not JSON": "Get-SPFarm", "nothing": "", "a list": "[]", "twice the same field": `{"id":"a","id":"b"}`, "huge": strings.Repeat(" ", 1<<20) + "{}"}
	for name, content := range raw {
		ids[name] = newID()
		s.writeRequest(ids[name]+".json", content)
	}
	before := s.state()
	s.runTask()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { s.assertRejected(t, ids[c.name], c.id) })
	}
	for name := range raw {
		t.Run(name, func(t *testing.T) { s.assertRejected(t, ids[name], powershell.TaskRefused) })
	}
	assertUnchanged(t, before, s.testServer)
}

func TestTaskRequest_IgnoresOtherFiles(t *testing.T) {
	t.Parallel()
	s := newTaskServer(t, newFrontEnd(editions["2016"]))
	for _, name := range []string{
		"x.json", strings.ToUpper(newID()) + ".json", newID() + ".JSON", newID() + ".json.txt", ".." + newID() + ".json", newID() + "\n.json",
	} {
		s.writeRequest(name, formatRequest(s.newRequest(nil)))
	}
	target, link := filepath.Join(t.TempDir(), "elsewhere"), newID()
	request := s.newRequest(func(r map[string]any) { r["id"] = link })
	if err := os.WriteFile(target, []byte(formatRequest(request)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, s.path("requests", link+".json")); err != nil {
		t.Fatal(err)
	}
	s.runTask()
	if got := s.listFiles("results"); !cmp.Equal(got, []string{link + ".json"}) {
		t.Fatalf("results %v", got)
	}
	if a := s.readResult(link); a.Error == nil || a.Error.ID != powershell.TaskRefused {
		t.Errorf("a link was followed: %+v", a)
	}
}

func TestTaskRequest_RunsOnce(t *testing.T) {
	t.Parallel()
	s := newTaskServer(t, newFrontEnd(editions["2016"]))
	first, second := s.newRequest(nil), s.newRequest(nil)
	one, two := first["id"].(string), second["id"].(string)
	s.writeRequest(one+".json", formatRequest(first))
	s.writeRequest(two+".json", formatRequest(second))
	s.runTask()
	if a, b := s.readResult(one), s.readResult(two); a.Error != nil || b.Error != nil {
		t.Fatalf("results %+v and %+v", a, b)
	}
	// The same request again, and one whose result somebody has claimed.
	marked := []byte(`{"id":"claimed"}`)
	if err := os.WriteFile(s.path("results", one+".json"), marked, 0o600); err != nil {
		t.Fatal(err)
	}
	s.runTask()
	if got, err := os.ReadFile(s.path("results", one+".json")); err != nil || !cmp.Equal(got, marked) {
		t.Errorf("a replayed request ran again: %s, %v", got, err)
	}
}

func TestTaskRequest_BothSidesCleanUp(t *testing.T) {
	t.Parallel()
	s := newTaskServer(t, newFrontEnd(editions["2016"]))
	stale := time.Now().Add(-2 * time.Hour)
	abandoned := newID() + ".json"
	s.writeRequest(abandoned, formatRequest(s.newRequest(nil)))
	done := s.path("results", newID()+".json")
	if err := os.WriteFile(done, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{s.path("requests", abandoned), done} {
		if err := os.Chtimes(path, stale, stale); err != nil {
			t.Fatal(err)
		}
	}
	mustRun(t, s.runner(), observation())
	if left := s.listFiles("requests"); len(left) != 0 {
		t.Errorf("requests left: %v", left)
	}
	if got := s.listFiles("results"); len(got) != 1 || filepath.Base(done) == got[0] {
		t.Errorf("results left: %v, want the one of just now", got)
	}
}
