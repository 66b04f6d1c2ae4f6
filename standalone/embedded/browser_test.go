package embedded_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/farmtrust/farmtrust/standalone/embedded"
)

// startPath starts a workflow, with startBody.
const (
	startPath = "/api/v1/namespaces/default/workflows/started"
	startBody = `{"workflowType":{"name":"nap"},"taskQueue":{"name":"embedded-test"},"requestId":"1"}`
)

// attacks are what a page can try against the UI at args[0]; the first argument is its
// URL, the second the body of a start.
var attacks = map[string]string{
	"posts plain text":            `const r = await fetch(args[0], {method: "POST", mode: "no-cors", headers: {"Content-Type": "text/plain"}, body: args[1]}); return r.type`,
	"posts without a type":        `const r = await fetch(args[0], {method: "POST", mode: "no-cors", credentials: "include", body: new Blob([args[1]])}); return r.type`,
	"posts JSON":                  `const r = await fetch(args[0], {method: "POST", headers: {"Content-Type": "application/json"}, body: args[1]}); return r.status`,
	"posts with an authorization": `const r = await fetch(args[0], {method: "POST", headers: {Authorization: "Bearer x"}, body: args[1]}); return r.status`,
	"sends a beacon":              `return navigator.sendBeacon(args[0], args[1])`,
	"submits a form": `const [head, tail] = [args[1].slice(0, -1) + ',"identity":"', '"}'];
		const frame = document.createElement("iframe"); frame.name = "f"; document.body.append(frame);
		const form = document.createElement("form"); form.method = "POST"; form.enctype = "text/plain"; form.action = args[0]; form.target = "f";
		const field = document.createElement("input"); field.name = head; field.value = tail; form.append(field); document.body.append(form);
		await new Promise(r => { frame.onload = r; form.submit() }); return "submitted"`,
	"reads": `const r = await fetch(args[0].replace("/started", "")); return r.status + await r.text()`,
	"embeds a script": `const s = document.createElement("script"); s.src = args[0].replace("/started", "");
		return await new Promise(r => { s.onload = () => r("loaded"); s.onerror = () => r("refused"); document.body.append(s) })`,
}

// startEvil serves an attacker's empty page, under any name, on a port of its own.
func startEvil(t *testing.T) (port string) {
	t.Helper()
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!doctype html><title>evil</title><body>evil"))
	}))
	t.Cleanup(evil.Close)
	return portOf(t, evil.URL)
}

func portOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}

// countWorkflows counts what was started, by whomever.
func countWorkflows(t *testing.T, c client.Client) int64 {
	t.Helper()
	n, err := c.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return n.Count
}

// isStarted reports whether the workflow of startPath runs.
func isStarted(t *testing.T, c client.Client, id string) bool {
	t.Helper()
	_, err := c.DescribeWorkflowExecution(t.Context(), id, "")
	return err == nil
}

func TestUI_NoOtherPageSteersItOrReadsIt(t *testing.T) {
	t.Parallel()
	s := start(t, options(t))
	c := dial(t, s.Address())
	b := startBrowser(t, "MAP *.example 127.0.0.1")
	evil, own := startEvil(t), portOf(t, s.UI())
	for origin, page := range map[string]string{
		"another site":                 "http://evil.example:" + evil,
		"another port of this machine": "http://127.0.0.1:" + evil,
		"localhost, another port":      "http://localhost:" + evil,
	} {
		for _, ui := range []string{"http://127.0.0.1:" + own, "http://localhost:" + own} {
			for name, script := range attacks {
				b.open(page)
				got := b.run(script, ui+startPath, startBody)
				if strings.HasPrefix(got, "200") || strings.Contains(got, "executions") || got == "loaded" {
					t.Errorf("%s %s at %s: %s", origin, name, ui, got)
				}
			}
		}
	}
	t.Run("a name that was made to lead here", func(t *testing.T) {
		b.open("http://rebound.example:" + own + "/")
		if text := b.run(`return document.body.innerText`); !strings.Contains(text, "answers to its own address only") {
			t.Errorf("the page says %q", text)
		}
		for name, script := range attacks {
			if got := b.run(script, "http://rebound.example:"+own+startPath, startBody); strings.HasPrefix(got, "200") || strings.Contains(got, "executions") {
				t.Errorf("%s: %s", name, got)
			}
		}
	})
	if isStarted(t, c, "started") {
		t.Error("a workflow was started")
	}
	t.Run("a page of the UI does what the others tried", func(t *testing.T) {
		b.open(s.UI())
		if got := b.run(attacks["posts JSON"], s.UI()+startPath, startBody); got != "200" || !isStarted(t, c, "started") {
			t.Errorf("got %s", got)
		}
	})
}

func TestUI_ReadOnlyShowsEverythingAndChangesNothing(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.Private, o.ReadOnlyUI = true, true
	s := start(t, o)
	c := dialWith(t, s.Profile())
	b := startBrowser(t, "MAP *.example 127.0.0.1")
	b.open(s.UI())
	if text := b.run(awaitText, "Workflows"); !strings.Contains(text, "Workflows") {
		t.Errorf("the UI shows %q", text)
	}
	for name, path := range map[string]string{
		"a start":                       startPath,
		"a start that looks like query": "/api/v1/namespaces/default/workflows/a%2Fquery%2Fb",
		"a signal":                      "/api/v1/namespaces/default/workflows/a/signal/b",
	} {
		if got := b.run(attacks["posts JSON"], s.UI()+path, startBody); got != "405" {
			t.Errorf("%s: got %s", name, got)
		}
	}
	if n := countWorkflows(t, c); n > 0 {
		t.Errorf("%d workflows were started", n)
	}
}

// awaitText waits until the page shows args[0], and returns its text.
const awaitText = `for (let i = 0; i < 300 && !document.body.innerText.includes(args[0]); i++) await new Promise(r => setTimeout(r, 100));
	return document.body.innerText`

// Only its own name opens a private UI; who finds the port has nothing.
func TestUI_PrivateAnswersToItsSecretNameAlone(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.Private = true
	s := start(t, o)
	port := portOf(t, s.UI())
	for _, address := range []string{"127.0.0.1:" + port, "[::1]:" + port} {
		for _, host := range []string{address, "localhost:" + port, "farmtrust.localhost:" + port, ""} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/api/v1/namespaces/default/workflows", nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Host = host
			answer, err := http.DefaultClient.Do(request)
			if err != nil {
				continue // no IPv6 here
			}
			_ = answer.Body.Close()
			if answer.StatusCode != http.StatusMisdirectedRequest {
				t.Errorf("%s as %q: %s", address, host, answer.Status)
			}
		}
	}
}

// curl is a browser's opposite: it sends what it is told.
func TestUI_CurlIsRefusedAsWell(t *testing.T) {
	t.Parallel()
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed")
	}
	s := start(t, embedded.Options{Retention: options(t).Retention, Logger: options(t).Logger})
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"plain text":       {[]string{"-H", "Content-Type: text/plain", "-d", startBody}, "403"},
		"a foreign origin": {[]string{"-H", "Origin: https://evil.example", "-H", "Content-Type: application/json", "-d", startBody}, "403"},
		"a foreign host":   {[]string{"-H", "Host: evil.example", "-H", "Content-Type: application/json", "-d", startBody}, "421"},
		"JSON":             {[]string{"-H", "Content-Type: application/json", "-d", startBody}, "200"},
	} {
		args := append([]string{"--noproxy", "*", "-s", "-o", "/dev/null", "-w", "%{http_code}"}, c.args...)
		out, err := exec.CommandContext(t.Context(), curl, append(args, s.UI()+startPath)...).Output()
		if err != nil || string(out) != c.want {
			t.Errorf("%s: got %s, %v; want %s", name, out, err, c.want)
		}
	}
}
