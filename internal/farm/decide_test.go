package farm_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestDecide(t *testing.T) {
	const day = 24 * time.Hour
	current := farm.StoreCertificate{Thumbprint: testThumbprint("current"), NotAfter: epoch.Add(200 * day)}
	due := farm.StoreCertificate{Thumbprint: testThumbprint("current"), NotAfter: epoch.Add(20 * day)}
	expired := farm.StoreCertificate{Thumbprint: testThumbprint("current"), NotAfter: epoch.Add(-day)}
	shortLived := farm.StoreCertificate{Thumbprint: testThumbprint("current"), NotBefore: epoch.Add(-day), NotAfter: epoch.Add(6 * day)}
	newer := farm.Certificate{Thumbprint: testThumbprint("newer"), NotAfter: epoch.Add(400 * day)}
	same := farm.Certificate{Thumbprint: current.Thumbprint}
	differences := []farm.Difference{
		{Step: farm.StepRestart, Server: "oos-01", Text: "restart WACSM"},
		{Step: farm.StepIssuer, Server: "sp-01", Text: "update the issuer"},
	}
	stop := []farm.Finding{{Severity: farm.Stop, Text: "a restart is pending", Remedy: "restart it first"}}
	warning := []farm.Finding{{Severity: farm.Warn, Text: "clear text"}}
	lost := []farm.Finding{{Code: farm.FindingNameLost, Severity: farm.Warn, Server: "oos-01", Text: "re-created", Remedy: "pass the name"}}
	dangling := []farm.Finding{{Code: farm.FindingNameDangling, Severity: farm.Warn, Server: "oos-01", Text: "no certificate", Remedy: "rotate"}}
	differ := []farm.Finding{{Code: farm.FindingCertificatesDiffer, Severity: farm.Warn, Text: "two certificates", Remedy: "rotate"}}
	neverSet := []farm.Finding{{Code: farm.FindingNeverSet, Severity: farm.Warn, Server: "dr-01", Text: "no name", Remedy: "rotate"}}
	for _, c := range []struct {
		name   string
		input  farm.DecisionInput
		want   farm.Next
		reason string // part of Reason that an operator needs
	}{
		{
			"does nothing while the trust is as desired",
			farm.DecisionInput{Current: current, Target: same},
			farm.Next{Code: farm.CodeTrusted},
			"until 2027-05-20 12:00 UTC",
		},
		{
			"does nothing because of an event alone",
			farm.DecisionInput{Current: current, Target: same, EventPending: true},
			farm.Next{Code: farm.CodeTrusted},
			"",
		},
		{
			"does nothing because of a warning",
			farm.DecisionInput{Current: current, Target: same, Findings: warning},
			farm.Next{Code: farm.CodeTrusted},
			"",
		},
		{
			"waits for a newer certificate when a renewal is due",
			farm.DecisionInput{Current: due, Target: same},
			farm.Next{Action: farm.ActionAwaitCertificate, Code: farm.CodeNoNewer, NeedsOperator: true},
			"expires on 2026-11-21",
		},
		{
			"says that the certificate has expired, and replaces it",
			farm.DecisionInput{Current: expired, Target: newer, Differences: differences},
			farm.Next{Action: farm.ActionRotate, Code: farm.CodeRenewal},
			"EXPIRED: " + current.Thumbprint.Short() + " expired on 2026-10-31",
		},
		{
			"says that the certificate has expired, when there is no newer one",
			farm.DecisionInput{Current: expired, Target: same},
			farm.Next{Action: farm.ActionAwaitCertificate, Code: farm.CodeNoNewer, NeedsOperator: true},
			"EXPIRED: ",
		},
		{
			"says that the certificate has expired, when a finding stops the rotation",
			farm.DecisionInput{Current: expired, Findings: stop},
			farm.Next{Code: farm.CodeStopped, NeedsOperator: true},
			"EXPIRED: ",
		},
		{
			"keeps a short-lived certificate that was just issued, even after an event",
			farm.DecisionInput{Current: shortLived, Target: same, EventPending: true},
			farm.Next{Code: farm.CodeTrusted},
			"",
		},
		{
			"renews a certificate that is due",
			farm.DecisionInput{Current: due, Target: newer, Differences: differences},
			farm.Next{Action: farm.ActionRotate, Code: farm.CodeRenewal},
			"to " + newer.Thumbprint.Short(),
		},
		{
			"lets a newer certificate wait until the renewal is due",
			farm.DecisionInput{Current: current, Target: newer, Differences: differences},
			farm.Next{Action: farm.ActionWait, Code: farm.CodeNotYetDue},
			"begins on 2027-04-20 12:00 UTC",
		},
		{
			"renews early after an event",
			farm.DecisionInput{Current: current, Target: newer, Differences: differences, EventPending: true},
			farm.Next{Action: farm.ActionRotate, Code: farm.CodeRenewal},
			"from " + current.Thumbprint.Short(),
		},
		{
			"does not set up a trust automatically",
			farm.DecisionInput{Target: newer, Differences: differences},
			farm.Next{Code: farm.CodeNotSetUp, NeedsOperator: true},
			"",
		},
		{
			"sets up a trust after an event",
			farm.DecisionInput{Target: newer, Differences: differences, EventPending: true},
			farm.Next{Action: farm.ActionRotate, Code: farm.CodeSetUp},
			"",
		},
		{
			"tells a farm that has lost its S2S name from one that was never set up",
			farm.DecisionInput{Target: newer, Differences: differences, Findings: lost},
			farm.Next{Code: farm.CodeNameLost, NeedsOperator: true},
			"oos-01: re-created: pass the name",
		},
		{
			"remembers that a farm was set up, where no certificate on its servers tells",
			farm.DecisionInput{Target: newer, Differences: differences, KnownBefore: current.Thumbprint},
			farm.Next{Code: farm.CodeNameLost, NeedsOperator: true},
			"which selected " + current.Thumbprint.Short(),
		},
		{
			"says that a name dangles",
			farm.DecisionInput{Target: newer, Differences: differences, KnownBefore: current.Thumbprint, Findings: dangling},
			farm.Next{Code: farm.CodeNameDangling, NeedsOperator: true},
			"oos-01: no certificate: rotate",
		},
		{
			"says that the office farms differ",
			farm.DecisionInput{Target: newer, Differences: differences, Findings: differ},
			farm.Next{Code: farm.CodeCertificatesDiffer, NeedsOperator: true},
			"two certificates: rotate",
		},
		{
			"sets a lost name again after an event",
			farm.DecisionInput{Target: newer, Differences: differences, Findings: lost, EventPending: true},
			farm.Next{Action: farm.ActionRotate, Code: farm.CodeNameLost},
			"re-created",
		},
		{
			"leaves an office farm that was never set up to an operator",
			farm.DecisionInput{Current: current, Target: same, Differences: differences, Findings: neverSet},
			farm.Next{Code: farm.CodeNeverSet, NeedsOperator: true},
			"dr-01: no name: rotate",
		},
		{
			"renews although an office farm was never set up",
			farm.DecisionInput{Current: due, Target: newer, Differences: differences, Findings: neverSet},
			farm.Next{Action: farm.ActionRotate, Code: farm.CodeRenewal},
			"to " + newer.Thumbprint.Short(),
		},
		{
			"repairs a member that lost the certificate",
			farm.DecisionInput{Current: current, Target: same, Differences: differences, Findings: dangling},
			farm.Next{Action: farm.ActionRotate, Code: farm.CodeDrift},
			"sp-01: update the issuer",
		},
		{
			"repairs drift",
			farm.DecisionInput{Current: current, Target: same, Differences: differences},
			farm.Next{Action: farm.ActionRotate, Code: farm.CodeDrift},
			"sp-01: update the issuer",
		},
		{
			"leaves a pending restart to an operator",
			farm.DecisionInput{Current: current, Target: same, Differences: differences[:1]},
			farm.Next{Code: farm.CodeRestartPending, NeedsOperator: true},
			"oos-01",
		},
		{
			"starts nothing automatically while suspended",
			farm.DecisionInput{Current: due, Target: newer, Differences: differences, Suspended: "rolled back"},
			farm.Next{Code: farm.CodeSuspended, NeedsOperator: true},
			"suspended: rolled back",
		},
		{
			"is not suspended when there is nothing to start",
			farm.DecisionInput{Current: current, Target: same, Suspended: "rolled back"},
			farm.Next{Code: farm.CodeTrusted},
			"",
		},
		{
			"needs an operator when a precondition fails",
			farm.DecisionInput{Current: due, Target: newer, Differences: differences, Findings: stop},
			farm.Next{Code: farm.CodeStopped, NeedsOperator: true},
			"a restart is pending: restart it first",
		},
		{
			"needs an operator when the farm cannot be inspected",
			farm.DecisionInput{Unobserved: "oos-01: no route"},
			farm.Next{Code: farm.CodeUnobserved, NeedsOperator: true},
			"oos-01: no route",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.input.Now, c.input.Farm.Certificate.LeadTime = epoch, 30*day
			got := farm.Decide(c.input)
			if diff := cmp.Diff(c.want, got, cmpopts.IgnoreFields(farm.Next{}, "Reason", "Do", "At", "Because", "Unless")); diff != "" {
				t.Errorf("next (-want +got):\n%s", diff)
			}
			if got.Reason == "" || !strings.Contains(got.Reason, c.reason) {
				t.Errorf("reason %q does not contain %q", got.Reason, c.reason)
			}
		})
	}
}

func TestDecide_RenewalDate(t *testing.T) {
	const day = 24 * time.Hour
	newer := farm.Certificate{Thumbprint: testThumbprint("newer"), NotAfter: epoch.Add(2000 * day)}
	for _, c := range []struct {
		name  string
		valid time.Duration
		due   time.Duration // after NotBefore
	}{
		{"the lead time before it expires", 365 * day, 335 * day},
		{"at two thirds of a lifetime shorter than the lead time", 21 * day, 14 * day},
	} {
		t.Run(c.name, func(t *testing.T) {
			input := farm.DecisionInput{
				Farm:        farm.Farm{Certificate: farm.CertificatePolicy{LeadTime: 30 * day}},
				Current:     farm.StoreCertificate{Thumbprint: testThumbprint("current"), NotBefore: epoch, NotAfter: epoch.Add(c.valid)},
				Target:      newer,
				Differences: []farm.Difference{{Step: farm.StepImport}},
			}
			input.Now = epoch.Add(c.due - 1)
			if got := farm.Decide(input).Code; got != farm.CodeNotYetDue {
				t.Errorf("just before: %q, want %q", got, farm.CodeNotYetDue)
			}
			input.Now = epoch.Add(c.due)
			if got := farm.Decide(input).Code; got != farm.CodeRenewal {
				t.Errorf("then: %q, want %q", got, farm.CodeRenewal)
			}
		})
	}
}
