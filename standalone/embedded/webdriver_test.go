package embedded_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"os/exec"
	"regexp"
	"testing"
)

// browser is a headless Chromium, driven by the WebDriver protocol.
//
// Source: W3C, "WebDriver"; Chromium, "Capabilities & ChromeOptions".
type browser struct {
	t       *testing.T
	session string
}

// driverPort matches what chromedriver prints when it is ready.
var driverPort = regexp.MustCompile(`started successfully on port (\d+)`)

// startBrowser starts a browser in which these names lead to this machine.
func startBrowser(t *testing.T, names string) *browser {
	t.Helper()
	program, err := exec.LookPath("chromedriver")
	if err != nil {
		t.Skip("chromedriver is not installed")
	}
	driver := exec.Command(program, "--port=0")
	out, err := driver.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := driver.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = driver.Process.Kill()
		_ = driver.Wait()
	})
	b := &browser{t: t}
	for lines := bufio.NewScanner(out); b.session == "" && lines.Scan(); {
		if found := driverPort.FindStringSubmatch(lines.Text()); found != nil {
			b.session = "http://127.0.0.1:" + found[1] + "/session"
		}
	}
	var started struct{ SessionID string }
	b.call(http.MethodPost, "", map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{
		"goog:chromeOptions": map[string]any{"args": []string{
			"--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--no-proxy-server", "--host-resolver-rules=" + names,
		}},
		"timeouts": map[string]any{"script": 60_000, "pageLoad": 60_000},
	}}}, &started)
	b.session += "/" + started.SessionID
	t.Cleanup(func() { b.call(http.MethodDelete, "", map[string]any{}, nil) })
	return b
}

// open opens a page.
func (b *browser) open(url string) {
	b.t.Helper()
	b.call(http.MethodPost, "/url", map[string]any{"url": url}, nil)
}

// run runs the body of an async function in the page, and returns the text that it
// returns.
func (b *browser) run(script string, args ...any) (result string) {
	b.t.Helper()
	const frame = `const done = arguments[arguments.length-1]; (async (args) => {%s})([...arguments]).then(r => done(String(r)), e => done("failed: " + e))`
	source := bytes.Replace([]byte(frame), []byte("%s"), []byte(script), 1)
	b.call(http.MethodPost, "/execute/async", map[string]any{"script": string(source), "args": append([]any{}, args...)}, &result)
	return result
}

// call sends a command of WebDriver.
func (b *browser) call(method, command string, parameters, result any) {
	b.t.Helper()
	body, err := json.Marshal(parameters)
	if err != nil {
		b.t.Fatal(err)
	}
	request, err := http.NewRequest(method, b.session+command, bytes.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	answer := struct{ Value json.RawMessage }{}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode != http.StatusOK {
		b.t.Fatalf("%s %s: %s %s %v", method, command, response.Status, answer.Value, err)
	}
	if result != nil {
		if err := json.Unmarshal(answer.Value, result); err != nil {
			b.t.Fatalf("%s %s: %s: %v", method, command, answer.Value, err)
		}
	}
}
