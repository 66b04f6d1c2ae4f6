package admin_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/admin"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/scripts"
)

func open(t testing.TB) (*farmsim.Farm, http.Handler) {
	t.Helper()
	testFarm, err := farmsim.Start(t.Context(), farmsim.Options{Dir: t.TempDir(), OfficeServers: 1, SharePointServers: 1, WithoutWire: true})
	if err != nil {
		t.Fatal(err)
	}
	return testFarm, admin.Handler(testFarm)
}

func ask(t testing.TB, h http.Handler, method, path, body string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body)))
	return w.Code, w.Body.String()
}

// TestServe_StateAndRules checks that the state and the rules are served as
// JSON.
func TestServe_StateAndRules(t *testing.T) {
	t.Parallel()
	testFarm, h := open(t)
	status, body := ask(t, h, http.MethodGet, "/state", "")
	var state model.State
	if err := json.Unmarshal([]byte(body), &state); err != nil || status != http.StatusOK {
		t.Fatalf("status %d, %v", status, err)
	}
	if diff := cmp.Diff(testFarm.Hosts(), []string{state.Machines[0].Host, state.Machines[1].Host}); diff != "" {
		t.Errorf("machines (-want +got):\n%s", diff)
	}
	status, body = ask(t, h, http.MethodGet, "/rules", "")
	var rules []model.Rule
	if err := json.Unmarshal([]byte(body), &rules); err != nil || status != http.StatusOK || len(rules) != len(model.Rules()) {
		t.Errorf("status %d, %d rules, %v", status, len(rules), err)
	}
}

func TestFaults_AddListClear(t *testing.T) {
	t.Parallel()
	testFarm, h := open(t)
	if status, body := ask(t, h, http.MethodGet, "/faults", ""); status != http.StatusOK || strings.TrimSpace(body) != "[]" {
		t.Errorf("GET before any: %d %s, want an empty list", status, body)
	}
	one := `[{"server":"oos-01.contoso.com","step":"Grant-S2SKey","kind":"slow","delay":"2s","times":2}]`
	if status, body := ask(t, h, http.MethodPost, "/faults", one); status != http.StatusOK {
		t.Fatalf("POST: %d %s", status, body)
	}
	status, body := ask(t, h, http.MethodGet, "/faults", "")
	var listed []fault.Fault
	if err := json.Unmarshal([]byte(body), &listed); err != nil || status != http.StatusOK || len(listed) != 1 || listed[0].Kind != fault.Slow {
		t.Errorf("GET: %d %s", status, body)
	}
	for _, clear := range []func() (int, string){
		func() (int, string) { return ask(t, h, http.MethodDelete, "/faults", "") },
		func() (int, string) { return ask(t, h, http.MethodPost, "/faults", "") },
	} {
		if err := testFarm.AddFaults(fault.Fault{Kind: fault.Hang}); err != nil {
			t.Fatal(err)
		}
		if status, body := clear(); status >= 300 || len(testFarm.Pending()) != 0 {
			t.Errorf("clear: %d %s, pending %v", status, body, testFarm.Pending())
		}
	}
}

// TestFaults_Refused checks that bad faults are refused with a reason and
// change nothing.
func TestFaults_Refused(t *testing.T) {
	t.Parallel()
	testFarm, h := open(t)
	for _, c := range []struct {
		body   string
		status int
		says   string
	}{
		{`{`, http.StatusBadRequest, "decode faults"},
		{`[{"kind":"hang"}] 1`, http.StatusBadRequest, "something after the list"},
		{`[{"kind":"hang","hots":"x"}]`, http.StatusBadRequest, "unknown field"},
		{`[{"kind":"hang"},{"kind":"earthquake"}]`, http.StatusBadRequest, "fault 2: kind"},
		{`[{"kind":"hang","server":"` + strings.Repeat("x", 1<<20) + `"}]`, http.StatusRequestEntityTooLarge, "larger than 1048576 bytes"},
	} {
		status, body := ask(t, h, http.MethodPost, "/faults", c.body)
		if status != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%.40s: %d %s, want %d and %q", c.body, status, body, c.status, c.says)
		}
		if pending := testFarm.Pending(); len(pending) != 0 {
			t.Errorf("%.40s: pending %v", c.body, pending)
		}
	}
}

// TestServe_NothingElse checks that only what is described is served.
func TestServe_NothingElse(t *testing.T) {
	t.Parallel()
	_, h := open(t)
	for path, want := range map[string]int{"/": http.StatusNotFound, "/keys": http.StatusNotFound, "/state": http.StatusMethodNotAllowed} {
		if status, _ := ask(t, h, http.MethodPut, path, ""); status != want {
			t.Errorf("PUT %s: %d, want %d", path, status, want)
		}
	}
}

// FuzzPostFaults: whatever is posted is answered with JSON, and either planned
// as a whole or refused as a whole.
func FuzzPostFaults(f *testing.F) {
	f.Add([]byte(`[{"kind":"slow","delay":"1s"},{"kind":"script error","error":{"id":"a","message":"b"}}]`))
	f.Add([]byte(`[{"kind":"soap fault","code":170,"step":"Get-OfficeServer","when":"after"}]`))
	f.Add([]byte(`[]`))
	f.Add([]byte(``))
	farm := &listed{}
	h := admin.Handler(farm)
	f.Fuzz(func(t *testing.T, body []byte) {
		farm.plan.Clear()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/faults", bytes.NewReader(body)))
		answer, err := io.ReadAll(w.Body)
		if err != nil || !json.Valid(answer) {
			t.Errorf("answer %q, %v", answer, err)
		}
		if refused := w.Code != http.StatusOK; refused && len(farm.plan.Pending()) > 0 {
			t.Errorf("refused with %d, but %d faults are planned", w.Code, len(farm.plan.Pending()))
		}
	})
}

// listed is a farm of one server that keeps its faults.
type listed struct{ plan fault.Plan }

func (l *listed) State() model.State     { return model.State{} }
func (l *listed) ClearFaults()           { l.plan.Clear() }
func (l *listed) Pending() []fault.Fault { return l.plan.Pending() }
func (l *listed) AddFaults(faults ...fault.Fault) error {
	for _, f := range faults {
		if err := f.Check(fault.Places{Servers: []string{"oos-01"}, Steps: scripts.Names()}); err != nil {
			return err
		}
	}
	l.plan.Add(faults...)
	return nil
}
