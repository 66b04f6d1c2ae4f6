package encryption_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"testing"
	"time"
)

// browser is Chromium, driven by the protocol of WebDriver.
type browser struct {
	t   *testing.T
	url string // of the session
}

// startBrowser starts Chromium without a window; the test is skipped where there is none.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	driver, err := exec.LookPath("chromedriver")
	if err != nil {
		t.Skip("no chromedriver")
	}
	process := exec.CommandContext(t.Context(), driver, "--port=0")
	stdout, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = process.Wait() }) // the context has ended it
	port := ""
	for lines := bufio.NewScanner(stdout); port == "" && lines.Scan(); {
		if found := regexp.MustCompile(`successfully on port (\d+)`).FindStringSubmatch(lines.Text()); found != nil {
			port = found[1]
		}
	}
	go func() { _, _ = io.Copy(io.Discard, stdout) }()
	b := &browser{t: t, url: "http://127.0.0.1:" + port + "/session"}
	var session struct{ SessionID string }
	b.post("", map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{
		"goog:chromeOptions": map[string]any{"args": []string{"--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-proxy-server"}},
	}}}, &session)
	b.url += "/" + session.SessionID
	t.Cleanup(func() {
		request, err := http.NewRequest(http.MethodDelete, b.url, nil) //nolint:noctx // the test's has ended
		if err != nil {
			return
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close()
		}
	})
	return b
}

// post sends a command, and reads what it answers into value.
func (b *browser) post(command string, body, value any) {
	b.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		b.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.url+command, bytes.NewReader(text))
	if err != nil {
		b.t.Fatal(err)
	}
	response, err := (&http.Client{Timeout: 2 * time.Minute}).Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		b.t.Fatalf("%s: %s, %v\n%s", command, response.Status, err, answer)
	}
	if err := json.Unmarshal(answer, &struct{ Value any }{value}); err != nil {
		b.t.Fatalf("%v\n%s", err, answer)
	}
}

// open opens a page.
func (b *browser) open(url string) {
	b.t.Helper()
	b.post("/url", map[string]string{"url": url}, new(any))
}

// run runs a script in the page, and returns the text that it returns, or that its
// promise becomes.
func (b *browser) run(script string) string {
	b.t.Helper()
	var text string
	b.post("/execute/sync", map[string]any{"script": script, "args": []any{}}, &text)
	return text
}

// text is what the page shows, and what stands in its fields.
func (b *browser) text() string {
	return b.run(`return document.body.innerText + [...document.querySelectorAll("textarea,input,[contenteditable]")].map(e => e.value || e.textContent).join("\n")`)
}
