package docs

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/farmsim/pwsh"
)

func TestEventsPageHasASectionForEachFormat(t *testing.T) {
	page := read(t, "events.md")
	for _, f := range event.Formats() {
		if !strings.Contains(page, "| `"+string(f)+"` |") || !strings.Contains(page, "format: "+string(f)) {
			t.Errorf("events.md does not say how events of the format %s come in", f)
		}
	}
}

func TestEventsPageHasConfigurationsThatLoad(t *testing.T) {
	for _, block := range strings.Split(read(t, "events.md"), "```yaml\nlisten:\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		name := regexp.MustCompile(`format: ([a-z-]+)`).FindStringSubmatch(block)[1]
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "door.yaml")
			text := "listen:\n  address: :8443\n  certificate: door.pem\n  key: env:KEY\n" + block
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := config.LoadIntake(path); err != nil {
				t.Error(err)
			}
		})
	}
}

// eventLog stands for a server's event log, with the events that a test puts in front.
const eventLog = `
function Get-WinEvent {
    [CmdletBinding()] param([hashtable] $FilterHashtable, [int] $MaxEvents)
    if ($FilterHashtable.StartTime -isnot [datetime]) { throw 'no StartTime' }
    $found = @($log | Where-Object { $FilterHashtable.Id -contains $_.Id } | Select-Object -First $MaxEvents)
    if ($found.Count -eq 0) { Write-Error -Message 'No events were found' -ErrorId $why }
    foreach ($e in $found) {
        $e = [pscustomobject] $e
        Add-Member -InputObject $e -MemberType ScriptMethod -Name ToXml -Value { $this.Xml } -PassThru
    }
}
$why = 'NoMatchingEventsFound'
`

func TestAScheduledTaskSendsEventsOfWindows(t *testing.T) {
	engine, err := pwsh.Find()
	if err != nil {
		t.Skip(err)
	}
	var lines string
	for _, block := range strings.Split(read(t, "events.md"), "```powershell\n")[1:] {
		lines, _, _ = strings.Cut(block, "```")
	}
	sample := strings.TrimSpace(read(t, "../internal/event/testdata/lifecycle-system.1003.about-to-expire.DERIVED.xml"))
	replaced := strings.TrimSpace(read(t, "../internal/event/testdata/lifecycle-system.1001.replaced.DERIVED.xml"))
	logged := func(id, xml string) string {
		return "@{ Id = " + id + "; Xml = '" + strings.ReplaceAll(xml, "'", "''") + "' }"
	}
	for _, c := range []struct {
		name, log string
		status    int
		// sent are the kinds of the events that arrive, out what the task prints.
		sent []event.Kind
		out  string
	}{
		{"what is about certificates", "$log = " + logged("1003", sample) + ", " + logged("1005", "<Event/>") + ", " + logged("1001", replaced), 202, []event.Kind{event.NearExpiry, event.NewVersion}, ""},
		{"nothing where nothing is logged", "$log = @()", 202, nil, ""},
		{"the reason where it is refused", "$log = @(" + logged("1003", sample) + ")", 422, []event.Kind{event.NearExpiry}, "the reason"},
		{"an error where the log cannot be read", "$log = @(); $why = 'LogInfoUnavailable'", 202, nil, "No events were found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var sent []event.Kind
			door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil || r.Header.Get("Authorization") != "Bearer the secret" {
					t.Errorf("%v, authorization %q", err, r.Header.Get("Authorization"))
				}
				b, err := event.Decode(event.Windows, event.Message{Header: r.Header, Body: body}, event.Fields{})
				if err != nil {
					t.Error(err)
				}
				for _, e := range b.Events {
					sent = append(sent, e.Kind)
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, `{"error":"the reason"}`)
			}))
			defer door.Close()
			folder := t.TempDir()
			script := eventLog + c.log + "\n" + strings.Replace(lines, "https://door.contoso.com:8443", door.URL, 1)
			for name, text := range map[string]string{"send-events.ps1": script, "token": "the secret\r\n"} {
				if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			command := exec.CommandContext(t.Context(), engine, "-NoProfile", "-NonInteractive", "-File", filepath.Join(folder, "send-events.ps1"))
			command.Env = append(os.Environ(), "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
			out, err := command.CombinedOutput()
			if diff := cmp.Diff(c.sent, sent); diff != "" {
				t.Errorf("%s\n%s", diff, out)
			}
			if (c.out != "") != (err != nil) || !strings.Contains(string(out), c.out) {
				t.Errorf("%v:\n%s", err, out)
			}
		})
	}
}
