package scripts_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/scripts"
	"github.com/farmtrust/farmtrust/internal/farmsim/testfarm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

const taskAccount = `CONTOSO\farmtrust-sp$`

// remote is a farm whose database sessions of ours do not reach.
func remote(t *testing.T) *testfarm.Farm {
	t.Helper()
	return testfarm.New(t, model.Policy{}, func(spec *model.SharePointSpec) { spec.RemoteSQL = true })
}

// sessionRunner runs scripts in sessions of one logon.
type sessionRunner struct {
	s     *testfarm.Farm
	logon model.Logon
}

func byTask(f *testfarm.Farm, logon model.Logon) powershell.Runner {
	return powershell.ByTask(sessionRunner{f, logon})
}

// TestTask_ReachesDatabase checks that the SharePoint task reaches a database
// that a session does not.
func TestTask_ReachesDatabase(t *testing.T) {
	t.Parallel()
	f, p := remote(t), testfarm.NewPair(t, "s2s", nil)
	params := powershell.SetTrustedIssuer{
		Name: "OOS", RegisteredName: farm.Issuers()[0].RegisteredName, Certificate: p.Cert.Raw, Sites: []string{testfarm.Site},
	}
	says(f, testfarm.Front, params, "SecondHop")
	f.OK(scripts.InstallTask(f.On(testfarm.Front), taskAccount, powershell.TaskScript()))
	done, err := powershell.Run(t.Context(), byTask(f, testfarm.Admin), powershell.Target{Host: testfarm.Front}, params)
	if err != nil || !done.Created {
		t.Fatalf("got %+v, %v", done, err)
	}
	got, err := powershell.Run(t.Context(), byTask(f, testfarm.Admin), powershell.Target{Host: testfarm.Front}, powershell.GetSharePointFarm{RegisteredNames: []string{params.RegisteredName}})
	if err != nil || len(got.Issuers) != 1 || got.Issuers[0].Thumbprint != string(p.Thumbprint()) {
		t.Errorf("observed %+v, %v", got, err)
	}
}

// TestTask_Refused checks that the SharePoint task is refused where it is
// missing, outdated or the account is no administrator.
func TestTask_Refused(t *testing.T) {
	t.Parallel()
	installed := func(script string) func(f *testfarm.Farm) {
		return func(f *testfarm.Farm) { f.OK(scripts.InstallTask(f.On(testfarm.Front), taskAccount, script)) }
	}
	cases := []struct {
		claim   string
		prepare func(f *testfarm.Farm)
		logon   model.Logon
		id      string
	}{
		{"not installed", func(*testfarm.Farm) {}, testfarm.Admin, powershell.TaskMissing},
		{"an old version", installed(strings.Replace(powershell.TaskScript(), "FullControl", "Write", 1)), testfarm.Admin, powershell.TaskVersion},
		{"no administrator", installed(powershell.TaskScript()), model.Logon{User: "svc", Auth: model.Basic, Filtered: true}, powershell.NotElevated},
	}
	for _, c := range cases {
		t.Run(c.claim, func(t *testing.T) {
			t.Parallel()
			f := remote(t)
			c.prepare(f)
			_, err := powershell.Run(t.Context(), byTask(f, c.logon), powershell.Target{Host: testfarm.Front}, powershell.GetSharePointFarm{})
			var refused *powershell.ScriptError
			if !errors.As(err, &refused) || refused.ID != c.id {
				t.Errorf("got %v, want %s", err, c.id)
			}
		})
	}
}

func TestTask_NoOtherVerb(t *testing.T) {
	t.Parallel()
	f := remote(t)
	f.OK(scripts.InstallTask(f.On(testfarm.Front), taskAccount, powershell.TaskScript()))
	answer := must(f, testfarm.Front, powershell.InvokeSharePointTask{
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
	got, err := scripts.Run(r.s.OnAs(t.Host, r.logon), call.Script, raw, call.Secrets)
	if err != nil {
		return err
	}
	raw, err = json.Marshal(got)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, result)
}
