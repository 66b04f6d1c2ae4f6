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
		{"a verb with a character that nobody sees", field("verb", "Get-SharePoint\u00adFarm"), powershell.TaskRefused},
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
		{"an issuer with a character that nobody sees", issuer(func(p map[string]any) { p["RegisteredName"] = sharePointIssuer + "\u00ad" }), powershell.TaskRefused},
		{"a right with a character that nobody sees", permission("Right", "Re\u00adad"), powershell.TaskRefused},
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
