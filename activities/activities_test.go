package activities_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// remote is a server that answers each script as told, by its name.
type remote map[string]func(result any) error

// Run implements powershell.Runner.
func (r remote) Run(_ context.Context, target powershell.Target, call powershell.Call, result any) error {
	answer, ok := r[call.Script]
	if !ok {
		return &powershell.ScriptError{Server: target.Host, Script: call.Script, ID: "CommandNotFoundException"}
	}
	return answer(result)
}

// one is a configuration and a source with one farm and one certificate.
type one struct{ bundle *cert.Bundle }

// Farm implements activities.Farms.
func (one) Farm(name string) (farm.Farm, bool) {
	front := farm.Server{Host: "sp-01", Connection: "c"}
	return farm.Farm{
		Name:        "contoso",
		Office:      farm.Office{Servers: []farm.Server{{Host: "oos-01", Connection: "c"}}},
		SharePoint:  []farm.SharePoint{{FrontEnd: front, Servers: []farm.Server{front}, IssuerName: "OOS"}},
		Certificate: farm.CertificatePolicy{Name: "OOS S2S", LeadTime: time.Hour},
	}, name == "contoso"
}

// Newest implements activities.Certificates.
func (o one) Newest(context.Context, string) (*cert.Bundle, error) {
	if o.bundle == nil {
		return nil, errors.New("oos.pfx: wrong password")
	}
	return o.bundle, nil
}

// Find implements activities.Certificates.
func (o one) Find(ctx context.Context, name string, _ farm.Thumbprint) (*cert.Bundle, error) {
	return o.Newest(ctx, name)
}

func selfSigned(t *testing.T, from time.Time, validFor time.Duration) *cert.Bundle {
	t.Helper()
	b, err := cert.SelfSigned("oos", from, validFor, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// do runs an activity as Temporal does and returns how its error is judged.
func do(t *testing.T, a *activities.Activities, activity any, in any) (*temporal.ApplicationError, error) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(a)
	_, err := env.ExecuteActivity(activity, in)
	application, _ := errors.AsType[*temporal.ApplicationError](err)
	return application, err
}

func TestErrorsAreJudgedByIdentity(t *testing.T) {
	script := func(id, exception string) error {
		return &powershell.ScriptError{Server: "oos-01", Script: "Get-OfficeServer", ID: id, Exception: exception, Message: "Zugriff verweigert"}
	}
	transport := func(k powershell.Kind) error {
		return &powershell.TransportError{Server: "oos-01", Kind: k, Err: errors.New("x")}
	}
	for claim, c := range map[string]struct {
		err    error
		kind   string
		final  bool
		delay  time.Duration
		remedy string
	}{
		"unreachable passes":                   {transport(powershell.Unreachable), "unreachable", false, 0, ""},
		"a broken connection passes":           {transport(powershell.Interrupted), "interrupted", false, 0, ""},
		"a used-up quota passes, later":        {transport(powershell.Quota), "quota", false, 30 * time.Second, ""},
		"a busy server passes, soon":           {transport(powershell.Busy), "busy", false, 5 * time.Second, ""},
		"refused credentials lock accounts":    {transport(powershell.Denied), "denied", true, 0, "password"},
		"an unverified certificate is final":   {transport(powershell.Untrusted), "untrusted", true, 0, "ca"},
		"missing rights are final":             {transport(powershell.Forbidden), "forbidden", true, 0, "administrator"},
		"constrained language is final":        {transport(powershell.Constrained), "constrained", true, 0, "full language"},
		"what our scripts refuse is final":     {script(powershell.NameTaken, ""), powershell.NameTaken, true, 0, "another issuer name"},
		"a failed iisreset may pass":           {script(powershell.IisResetFailed, ""), powershell.IisResetFailed, false, 0, "iisreset"},
		"an update conflict passes, soon":      {script("X,Y", powershell.UpdateConflict), "X,Y", false, 5 * time.Second, "at the same time"},
		"an unknown error of Windows may pass": {script("X,Y", "System.IO.IOException"), "X,Y", false, 0, ""},
	} {
		t.Run(claim, func(t *testing.T) {
			a := &activities.Activities{Farms: one{}, Now: time.Now, Remote: remote{"Get-OfficeServer": func(any) error { return c.err }}}
			got, err := do(t, a, a.ObserveOffice, activities.ServerInput{Farm: "contoso", Host: "oos-01"})
			if got == nil {
				t.Fatalf("not an application error: %v", err)
			}
			if got.Type() != c.kind || got.NonRetryable() != c.final || got.NextRetryDelay() != c.delay {
				t.Errorf("judged %q, final %t, next after %s; want %q, %t, %s", got.Type(), got.NonRetryable(), got.NextRetryDelay(), c.kind, c.final, c.delay)
			}
			if !strings.Contains(got.Message(), "oos-01") || !strings.Contains(got.Message(), c.remedy) {
				t.Errorf("says %q, want the server and %q", got.Message(), c.remedy)
			}
		})
	}
}

func TestAServerThatDoesNotComeBackIsToldAsThatAndTriedOnceMore(t *testing.T) {
	now := time.Now()
	a := &activities.Activities{
		Farms: one{}, Poll: time.Millisecond,
		Now: func() time.Time { now = now.Add(time.Minute); return now },
		Remote: remote{
			"Restart-OfficeServer": func(any) error { return nil },
			"Get-OfficeServer": func(result any) error {
				seen := result.(*powershell.OfficeServer) //nolint:forcetypeassert // the script's own result
				seen.Discovery.Status = 503
				return nil
			},
		},
	}
	got, err := do(t, a, a.RestartOffice, activities.RestartOfficeInput{ServerInput: activities.ServerInput{Farm: "contoso", Host: "oos-01"}})
	if got == nil || got.Type() != activities.WaitTimedOut || got.NonRetryable() || !strings.Contains(got.Message(), "oos-01 does not answer as before: WACSM running false, /hosting/discovery 503") {
		t.Errorf("a service that stays down ends it as %v", err)
	}
}

func TestNobodyAimsCredentialsAtServersThatAreNotConfigured(t *testing.T) {
	reached := false
	a := &activities.Activities{Farms: one{}, Now: time.Now, Remote: remote{
		"Get-OfficeServer":     func(any) error { reached = true; return nil },
		"Get-SharePointServer": func(any) error { reached = true; return nil },
		"Get-SharePointFarm":   func(any) error { reached = true; return nil },
	}}
	for _, activity := range []any{a.ObserveOffice, a.ObserveSharePoint, a.ObserveSharePointServer, a.GrantKey, a.TrustRootAuthorities} {
		got, err := do(t, a, activity, activities.ServerInput{Farm: "contoso", Host: "attacker.example"})
		if got == nil || got.Type() != activities.UnknownServer || !got.NonRetryable() {
			t.Errorf("a server that is not configured: %v, want refused", err)
		}
	}
	if reached {
		t.Error("a server that is not configured was connected to")
	}
}

func TestAnUnfitCertificateIsNeverATarget(t *testing.T) {
	now := time.Now()
	for claim, c := range map[string]struct {
		bundle *cert.Bundle
		kind   string
		want   string
	}{
		"unreadable":    {nil, activities.NoCertificate, "oos.pfx: wrong password"},
		"expired":       {selfSigned(t, now.Add(-2*time.Hour), time.Hour), activities.UnsuitableCertificate, "expired"},
		"not yet valid": {selfSigned(t, now.Add(time.Hour), time.Hour), activities.UnsuitableCertificate, "not valid before"},
	} {
		t.Run(claim, func(t *testing.T) {
			a := &activities.Activities{Farms: one{}, Certificates: one{c.bundle}, Now: time.Now}
			got, err := do(t, a, a.ChooseTarget, "contoso")
			if got == nil || got.Type() != c.kind || !strings.Contains(got.Message(), c.want) {
				t.Errorf("ChooseTarget: %v, want %s that says %q", err, c.kind, c.want)
			}
		})
	}
}

func TestTheExportedCertificateMustBeTheTarget(t *testing.T) {
	target, other := selfSigned(t, time.Now(), time.Hour).Certificate, selfSigned(t, time.Now(), time.Hour).Certificate
	a := &activities.Activities{Farms: one{}, Now: time.Now, Remote: remote{"Export-S2SCertificate": func(result any) error {
		*result.(*powershell.ExportResult) = powershell.ExportResult{DER: other.DER}
		return nil
	}}}
	got, err := do(t, a, a.ExportCertificate, activities.ServerInput{Farm: "contoso", Host: "oos-01", Target: target})
	if got == nil || got.Type() != activities.WrongCertificate || !strings.Contains(got.Message(), other.Thumbprint.Short()) {
		t.Errorf("another certificate was exported: %v, want it refused by name", err)
	}
}

func TestTimesOfAServerWithAnotherClockAreComparable(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	const ahead = 10 * time.Minute
	started := now.Add(-time.Minute + ahead)
	a := &activities.Activities{Farms: one{}, Now: func() time.Time { return now }, Remote: remote{"Get-SharePointServer": func(result any) error {
		*result.(*powershell.SharePointServer) = powershell.SharePointServer{
			Machine: powershell.Machine{Clock: now.Add(ahead)}, Timer: powershell.Service{Running: true, Since: &started},
		}
		return nil
	}}}
	seen := observed(t, a)
	if want := now.Add(-time.Minute); !seen.Timer.StartedAt.Equal(want) || seen.Machine.Skew != ahead {
		t.Errorf("a service of a server ten minutes ahead started at %s (skew %s), want %s on the worker's clock", seen.Timer.StartedAt, seen.Machine.Skew, want)
	}
}
