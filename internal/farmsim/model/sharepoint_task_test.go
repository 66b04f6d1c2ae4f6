package model_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

const taskAccount = `CONTOSO\farmtrust-sp$`

// remote is a farm whose database sessions of ours do not reach.
func remote(t *testing.T) *scene {
	t.Helper()
	return newScene(t, model.Policy{}, func(spec *model.SharePointSpec) { spec.RemoteSQL = true })
}

// sessionRunner runs scripts in sessions of one logon.
type sessionRunner struct {
	s     *scene
	logon model.Logon
}

func (s *scene) byTask(logon model.Logon) powershell.Runner {
	return powershell.ByTask(sessionRunner{s, logon})
}

func TestTheSharePointTaskReachesADatabaseThatASessionDoesNot(t *testing.T) {
	t.Parallel()
	s, p := remote(t), pair(t, "s2s", nil)
	params := powershell.SetTrustedIssuer{
		Name: "OOS", RegisteredName: farm.Issuers()[0].RegisteredName, Certificate: p.cert.Raw, Sites: []string{site},
	}
	says(s, front, params, "SecondHop")
	s.ok(s.on(front).InstallSharePointTask(taskAccount, powershell.TaskScript()))
	done, err := powershell.Run(t.Context(), s.byTask(admin), powershell.Target{Host: front}, params)
	if err != nil || !done.Created {
		t.Fatalf("got %+v, %v", done, err)
	}
	got, err := powershell.Run(t.Context(), s.byTask(admin), powershell.Target{Host: front}, powershell.GetSharePointFarm{RegisteredNames: []string{params.RegisteredName}})
	if err != nil || len(got.Issuers) != 1 || got.Issuers[0].Thumbprint != string(p.thumbprint()) {
		t.Errorf("observed %+v, %v", got, err)
	}
}

func TestTheSharePointTaskIsRefusedWhereItIsNotWhatIsMeant(t *testing.T) {
	t.Parallel()
	installed := func(script string) func(s *scene) {
		return func(s *scene) { s.ok(s.on(front).InstallSharePointTask(taskAccount, script)) }
	}
	cases := []struct {
		claim   string
		prepare func(s *scene)
		logon   model.Logon
		id      string
	}{
		{"not installed", func(*scene) {}, admin, powershell.TaskMissing},
		{"an old version", installed(strings.Replace(powershell.TaskScript(), "FullControl", "Write", 1)), admin, powershell.TaskVersion},
		{"no administrator", installed(powershell.TaskScript()), model.Logon{User: "svc", Auth: model.Basic, Filtered: true}, powershell.NotElevated},
	}
	for _, c := range cases {
		t.Run(c.claim, func(t *testing.T) {
			t.Parallel()
			s := remote(t)
			c.prepare(s)
			_, err := powershell.Run(t.Context(), s.byTask(c.logon), powershell.Target{Host: front}, powershell.GetSharePointFarm{})
			var refused *powershell.ScriptError
			if !errors.As(err, &refused) || refused.ID != c.id {
				t.Errorf("got %v, want %s", err, c.id)
			}
		})
	}
}

func TestTheSharePointTaskKnowsNoOtherVerb(t *testing.T) {
	t.Parallel()
	s := remote(t)
	s.ok(s.on(front).InstallSharePointTask(taskAccount, powershell.TaskScript()))
	answer := must(s, front, powershell.InvokeSharePointTask{
		Verb: "Restart-SharePointServer", Parameters: []byte(`{}`), Hash: powershell.HashTask(powershell.TaskScript()), Seconds: 1,
	})
	if !strings.Contains(string(answer.Outcome), powershell.TaskRefused) {
		t.Errorf("got %s", answer.Outcome)
	}
}

// Run implements [powershell.Runner].
func (r sessionRunner) Run(_ context.Context, t powershell.Target, call powershell.Call, result any) error {
	raw, err := json.Marshal(call.Params)
	if err != nil {
		return err
	}
	got, err := r.s.onAs(t.Host, r.logon).RunScript(call.Script, raw, call.Secrets)
	if err != nil {
		return err
	}
	raw, err = json.Marshal(got)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, result)
}
