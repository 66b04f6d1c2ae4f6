package activities_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// TestErrors_ByIdentity has texts in the server's language, which decide nothing.
func TestErrors_ByIdentity(t *testing.T) {
	script := func(id, exception string) error {
		return &powershell.ScriptError{Server: "oos-01", Script: "Get-OfficeServer", ID: id, Exception: exception, Message: "Zugriff verweigert"}
	}
	transport := func(k powershell.Kind) error {
		return &powershell.TransportError{Server: "oos-01", Kind: k, Err: errors.New("x")}
	}
	for name, c := range map[string]struct {
		err    error
		want   failure
		remedy string
	}{
		"unreachable may pass":                 {transport(powershell.Unreachable), failure{Type: "unreachable"}, ""},
		"a broken connection may pass":         {transport(powershell.Interrupted), failure{Type: "interrupted"}, ""},
		"an exhausted quota may pass, later":   {transport(powershell.Quota), failure{Type: "quota", Delay: 30 * time.Second}, ""},
		"a busy server may pass, soon":         {transport(powershell.Busy), failure{Type: "busy", Delay: 5 * time.Second}, ""},
		"refused credentials lock accounts":    {transport(powershell.Denied), failure{Type: "denied", Final: true}, "password"},
		"an unverified certificate is final":   {transport(powershell.Untrusted), failure{Type: "untrusted", Final: true}, "ca"},
		"missing rights are final":             {transport(powershell.Forbidden), failure{Type: "forbidden", Final: true}, "administrator"},
		"constrained language is final":        {transport(powershell.Constrained), failure{Type: "constrained", Final: true}, "full language"},
		"what our scripts refuse is final":     {script(powershell.NameTaken, ""), failure{Type: powershell.NameTaken, Final: true}, "another issuer name"},
		"a failed iisreset may pass":           {script(powershell.IisResetFailed, ""), failure{Type: powershell.IisResetFailed}, "iisreset"},
		"a service may start the next time":    {script(powershell.ServiceNotRunning, ""), failure{Type: powershell.ServiceNotRunning}, "remove the cause"},
		"SQL Server away may pass":             {script(powershell.SqlUnavailable, ""), failure{Type: powershell.SqlUnavailable}, "failover"},
		"another step on the server, soon":     {script(powershell.ServerBusy, ""), failure{Type: powershell.ServerBusy, Delay: 5 * time.Second}, "until that step has ended"},
		"a farm out of reach may pass":         {script(powershell.FarmUnreachable, ""), failure{Type: powershell.FarmUnreachable}, "Add-SPShellAdmin"},
		"a missing second hop is final":        {script(powershell.SecondHop, ""), failure{Type: powershell.SecondHop, Final: true}, "runAs: task"},
		"a farm that refuses us is final":      {script(powershell.NoFarmAccess, ""), failure{Type: powershell.NoFarmAccess, Final: true}, "Add-SPShellAdmin"},
		"an update conflict may pass, soon":    {script("X,Y", powershell.UpdateConflict), failure{Type: "X,Y", Delay: 5 * time.Second}, "at the same time"},
		"an unknown error of Windows may pass": {script("X,Y", "System.IO.IOException"), failure{Type: "X,Y"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := &activities.Activities{Farms: testFarm{}, Now: time.Now, Remote: testServer{"Get-OfficeServer": func(any) error { return c.err }}}
			assertFails(t, a, a.ObserveOffice, activities.ObserveInput{ServerInput: onOffice}, c.want, "oos-01", c.remedy)
		})
	}
}

// TestErrors_ALongTextKeepsItsRemedy checks that what cmdlets warned of does not push
// out what an operator can do.
func TestErrors_ALongTextKeepsItsRemedy(t *testing.T) {
	refused := &powershell.ScriptError{Server: "oos-01", Script: "Get-OfficeServer", ID: powershell.NoFarmAccess, Message: "no"}
	for range 5 {
		refused.Warnings = append(refused.Warnings, strings.Repeat("ö", 500))
	}
	a := &activities.Activities{Farms: testFarm{}, Now: time.Now, Remote: testServer{"Get-OfficeServer": func(any) error { return refused }}}
	assertFails(t, a, a.ObserveOffice, activities.ObserveInput{ServerInput: onOffice}, failure{Type: powershell.NoFarmAccess, Final: true}, "oos-01", powershell.Remedy(powershell.NoFarmAccess))
}

// TestErrors_TwoRestarts checks that what does not come back is restarted twice, and
// not a third time.
func TestErrors_TwoRestarts(t *testing.T) {
	for _, id := range []string{powershell.ServiceNotRunning, powershell.IisResetFailed} {
		t.Run(id, func(t *testing.T) {
			attempts := 0
			a := &activities.Activities{Farms: testFarm{}, Now: time.Now, Remote: testServer{"Restart-OfficeServer": func(any) error {
				attempts++
				return &powershell.ScriptError{Server: "oos-01", Script: "Restart-OfficeServer", ID: id}
			}}}
			var suite testsuite.WorkflowTestSuite
			suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
			env := suite.NewTestWorkflowEnvironment()
			env.RegisterActivity(a) // without what asks for a mandate
			env.ExecuteWorkflow(func(ctx workflow.Context) error {
				ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
				return workflow.ExecuteActivity(ctx, a.RestartOffice, activities.RestartOfficeInput{ServerInput: onOffice}).Get(ctx, nil)
			})
			if err := env.GetWorkflowError(); err == nil || attempts != 2 {
				t.Errorf("%d attempts, then %v; want 2 and an error", attempts, err)
			}
		})
	}
}

func TestRestartOffice_NotBack(t *testing.T) {
	now := time.Now()
	a := &activities.Activities{
		Farms: testFarm{}, Poll: time.Millisecond,
		Now: func() time.Time { now = now.Add(time.Minute); return now },
		Remote: testServer{
			"Restart-OfficeServer": func(any) error { return nil },
			"Get-OfficeServer": func(result any) error {
				seen := result.(*powershell.OfficeServer) //nolint:forcetypeassert // the script's own result
				seen.Service = powershell.Service{Name: "WACSM", Running: true}
				seen.Discovery = powershell.Discovery{URL: "https://office.contoso.com/hosting/discovery", Status: 503}
				return nil
			},
		},
	}
	assertFails(t, a, a.RestartOffice, activities.RestartOfficeInput{ServerInput: onOffice}, failure{Type: activities.WaitTimedOut},
		"oos-01 is not healthy after its restart: https://office.contoso.com/hosting/discovery responds 503")
}

// TestServers_NotConfigured protects credentials from servers that a caller
// names.
func TestServers_NotConfigured(t *testing.T) {
	a := &activities.Activities{Farms: testFarm{}, Worker: "worker-1, process 7 (configuration 0a1b2c3d4e5f)", Now: time.Now}
	elsewhere := activities.ServerInput{Farm: "contoso", Host: "attacker.example"}
	for name, c := range map[string]struct{ activity, in any }{
		"observe office server":     {a.ObserveOffice, activities.ObserveInput{ServerInput: elsewhere}},
		"observe SharePoint farm":   {a.ObserveSharePoint, elsewhere},
		"observe SharePoint server": {a.ObserveSharePointServer, elsewhere},
		"grant key":                 {a.GrantKey, elsewhere},
		"trust root authorities":    {a.TrustRootAuthorities, elsewhere},
	} {
		t.Run(name, func(t *testing.T) {
			connect := func(any) error { t.Error("the server is connected to"); return nil }
			a.Remote = testServer{"Get-OfficeServer": connect, "Get-SharePointServer": connect, "Get-SharePointFarm": connect}
			assertFails(t, a, c.activity, c.in, failure{Type: activities.UnknownServer},
				"attacker.example of farm contoso is not in the configuration of worker worker-1, process 7 (configuration 0a1b2c3d4e5f)")
		})
	}
}

func TestChooseTarget_Unsuitable(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		bundle *cert.Bundle
		kind   string
		text   string
	}{
		"unreadable":    {nil, activities.NoCertificate, "oos.pfx: wrong password"},
		"expired":       {makeSelfSigned(t, now.Add(-2*time.Hour), time.Hour), activities.UnsuitableCertificate, "expired"},
		"not yet valid": {makeSelfSigned(t, now.Add(time.Hour), time.Hour), activities.UnsuitableCertificate, "not valid before"},
	} {
		t.Run(name, func(t *testing.T) {
			a := &activities.Activities{Farms: testFarm{}, Certificates: testFarm{bundle: c.bundle}, Now: time.Now}
			assertFails(t, a, a.ChooseTarget, "contoso", failure{Type: c.kind, Final: true}, c.text)
		})
	}
}

func TestExportCertificate_NotTheTarget(t *testing.T) {
	target, other := makeSelfSigned(t, time.Now(), time.Hour).Certificate, makeSelfSigned(t, time.Now(), time.Hour).Certificate
	a := &activities.Activities{Farms: testFarm{}, Now: time.Now, Remote: testServer{"Export-S2SCertificate": func(result any) error {
		*result.(*powershell.ExportResult) = powershell.ExportResult{DER: other.DER}
		return nil
	}}}
	in := onOffice
	in.Target = target
	assertFails(t, a, a.ExportCertificate, in, failure{Type: activities.WrongCertificate, Final: true}, other.Thumbprint.Short())
}
