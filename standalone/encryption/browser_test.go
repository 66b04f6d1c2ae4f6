package encryption_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/codecserver"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/payload"
	"github.com/farmtrust/farmtrust/standalone/embedded"
	"github.com/farmtrust/farmtrust/workflows"
)

const token = "0123456789abcdef0123456789abcdef"

// startCodec starts a codec server whose handler is set later: the UI must know its
// address first.
func startCodec(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(nil)
	t.Cleanup(s.Close)
	return s
}

// serveCodec lets it answer the pages of the UI.
func serveCodec(t *testing.T, s *httptest.Server, o payload.Options, ui string) {
	t.Helper()
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, []byte("ada "+token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	authenticate, err := codecserver.Tokens(tokens)
	if err != nil {
		t.Fatal(err)
	}
	s.Config.Handler = codecserver.New(codecserver.Options{Payloads: o, Origins: []string{ui}, Authenticate: authenticate, Log: zap.NewNop()})
}

// TestUI_ShowsWhatIsEncryptedToThoseWhoMay opens the controller's page in a browser before
// and after a person has signed in at the codec server, and asks for the same from a page
// of a foreign origin.
func TestUI_ShowsWhatIsEncryptedToThoseWhoMay(t *testing.T) {
	b := startBrowser(t)
	codec := startCodec(t)
	s := startTemporal(t, codec.URL)
	_, configured := startFarm(t)
	_, ring := newRing(t)
	options := payload.Options{Keys: ring}
	serveCodec(t, codec, options, s.UI())
	s.work(t, configured, options)
	_, c := s.dial(t, options)
	f := c.Farm(farmsim.FarmName)
	rotate(t, f)
	id := workflows.RotateID(f.Name())
	described, err := s.raw(t).DescribeWorkflowExecution(context.Background(), id, "")
	if err != nil {
		t.Fatal(err)
	}
	page := s.UI() + "/namespaces/" + embedded.Namespace + "/workflows/" + url.PathEscape(id) + "/" + described.WorkflowExecutionInfo.Execution.RunId + "/history"

	const shown = "oos-01.contoso.com"
	b.open(page)
	waitUntil(t, func() bool { return strings.Contains(b.text(), id) && strings.Contains(b.text(), "RotateTrust") })
	if text := b.text(); strings.Contains(text, shown) {
		t.Errorf("it shows %s to somebody who has not signed in:\n%s", shown, text)
	}

	b.open(codec.URL)
	b.run(fmt.Sprintf(`document.querySelector("[name=token]").value = %q; document.forms[0].submit(); return ""`, token))
	waitUntil(t, func() bool { return strings.Contains(b.text(), "Signed in") })

	b.open(page)
	waitUntil(t, func() bool { return strings.Contains(b.text(), shown) })

	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<!doctype html><body>foreign") }))
	t.Cleanup(foreign.Close)
	b.open(foreign.URL)
	for _, kind := range []string{"application/json", "text/plain"} {
		got := b.run(fmt.Sprintf(`return fetch(%q, {method: "POST", credentials: "include", headers: {"Content-Type": %q}, body: '{"payloads":[]}'})
			.then(r => "read " + r.status, e => "refused: " + e.name)`, codec.URL+"/decode", kind))
		if got != "refused: TypeError" {
			t.Errorf("a foreign page, with %s: %s", kind, got)
		}
	}
}
