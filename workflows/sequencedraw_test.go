package workflows_test

import (
	"fmt"

	"go.temporal.io/sdk/testsuite"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/workflows"
)

// act has one thing happen that can happen now.
func (s *sequence) act() {
	state := s.state()
	if status := s.waiting(state); status != nil && s.chance.IntN(4) > 0 {
		s.drawDecision(state.Active.WorkflowID, *status)
		return
	}
	switch s.chance.IntN(16) {
	case 0, 1:
		s.drawCertificate()
		s.requestSome(controller.RequestRotate)
	case 2, 3, 4:
		s.drawFault()
		s.drawCertificate()
		s.requestSome(controller.RequestRotate)
	case 5, 6, 7:
		s.drawFaultIn(wayBackScripts, []string{powershell.ScriptOf(powershell.RestoreTrustedIssuer{})})
		s.requestSome(controller.RequestUndo)
	case 8:
		s.note("faults are cleared")
		s.sim.ClearFaults()
		s.requestSome(controller.RequestRotate)
	case 9:
		s.drawSettings()
		s.drawFault()
		s.requestSome(controller.RequestRotate)
	case 10, 11:
		s.requestSome(controller.RequestRollback)
	case 12:
		s.requestSome(controller.RequestUndo)
	case 13:
		s.requestSome(controller.RequestResume)
	case 14:
		s.drawDisturbance()
	case 15:
		s.sendEvent(fmt.Sprint(len(s.log)))
	}
}

func (s *sequence) drawCertificate() {
	s.note("a new certificate is issued")
	s.issueCertificate(s.t)
}

func (s *sequence) requestSome(kind controller.RequestKind) {
	s.note("request %s", kind)
	now := s.chance.IntN(2) == 0 && kind == controller.RequestUndo
	s.sendUpdate(workflows.RequestUpdate, controller.Request{Kind: kind, Now: now, By: "op", Reason: "drawn"}, func(_ any, err error) {
		if err != nil {
			s.note("refused: %v", err)
		}
	})
}

func (s *sequence) drawDecision(workflowID string, status farm.Status) {
	d := farm.Decision{By: "op", Reason: "drawn", Digest: status.Wait.Digest}
	choices := []farm.Choice{farm.RollBack, farm.Abort}
	switch {
	case status.Wait.For == farm.ForApproval:
		choices = append(choices, farm.Approve, farm.Approve, farm.Approve)
	case len(status.Wait.Blocked) > 0:
		choices = append(choices, farm.Retry, farm.Retry, farm.Forward, farm.RollBack)
		if b := status.Wait.Blocked[0]; b.Skippable {
			choices = append(choices, farm.Skip, farm.Skip)
			d.Server, d.Force = b.Server, true
		}
		if s.chance.IntN(2) == 0 {
			s.note("faults are cleared")
			s.sim.ClearFaults()
		}
	}
	if d.Choice = choices[s.chance.IntN(len(choices))]; d.Choice != farm.Skip {
		d.Server = ""
	}
	s.note("decide %s %s", d.Choice, d.Server)
	if err := s.env.UpdateWorkflowByID(workflowID, workflows.DecideUpdate, fmt.Sprint(len(s.log)), &testsuite.TestUpdateCallback{
		OnAccept: func() {}, OnReject: func(err error) { s.note("refused: %v", err) }, OnComplete: func(any, error) {},
	}, d); err != nil {
		s.note("not decided: %v", err)
	}
}

// officeScripts and sharePointScripts are what can fail on a server, of both ways.
var (
	officeScripts = []string{
		powershell.ScriptOf(powershell.ImportS2SCertificate{}), powershell.ScriptOf(powershell.GrantS2SKey{}),
		powershell.ScriptOf(powershell.SetS2SCertificateName{}), powershell.ScriptOf(powershell.SetS2SCertificateName{}),
		powershell.ScriptOf(powershell.SetOfficeHTTPSetting{}), powershell.ScriptOf(powershell.RestartOfficeServer{}),
		powershell.ScriptOf(powershell.RestoreS2SCertificateName{}), powershell.ScriptOf(powershell.RestoreS2SCertificateName{}),
		powershell.ScriptOf(powershell.SetS2SCertificateArchived{}), powershell.ScriptOf(powershell.RemoveS2SCertificate{}),
	}
	sharePointScripts = []string{
		powershell.ScriptOf(powershell.AddRootAuthority{}), powershell.ScriptOf(powershell.SetTrustedIssuer{}),
		powershell.ScriptOf(powershell.SetTrustedIssuer{}), powershell.ScriptOf(powershell.RestoreTrustedIssuer{}),
		powershell.ScriptOf(powershell.RestoreTrustedIssuer{}), powershell.ScriptOf(powershell.RestartSharePointServer{}),
		powershell.ScriptOf(powershell.RemoveRootAuthority{}),
	}
)

// wayBackScripts are what can fail on an office server when the pair goes back.
var wayBackScripts = []string{powershell.ScriptOf(powershell.RestoreS2SCertificateName{}), powershell.ScriptOf(powershell.SetS2SCertificateArchived{})}

func (s *sequence) drawFault() { s.drawFaultIn(officeScripts, sharePointScripts) }

// drawFaultIn has a step fail on a server, some times or until it is cleared.
func (s *sequence) drawFaultIn(scripts, sharePointScripts []string) {
	configured, _ := s.Farm(farmsim.FarmName)
	hosts := configured.OfficeHosts()
	if s.chance.IntN(2) == 0 {
		scripts, hosts = sharePointScripts, configured.SharePointHosts()
	}
	f := brokenScript(hosts[s.chance.IntN(len(hosts))], scripts[s.chance.IntN(len(scripts))])
	switch s.chance.IntN(6) {
	case 0, 1:
		f.Server = ""
	case 2:
		f.Times = 1 + s.chance.IntN(30)
	}
	if s.chance.IntN(4) == 0 {
		f.Skip = s.chance.IntN(3)
	}
	if s.chance.IntN(4) == 0 {
		f.When = fault.After
	}
	s.note("fault %+v", f)
	if err := s.sim.AddFaults(f); err != nil {
		s.t.Error(err)
	}
}

// drawSettings changes the configuration.
func (s *sequence) drawSettings() {
	values := []*bool{nil, new(bool), new(bool)}
	*values[2] = true
	outbound, secure := values[s.chance.IntN(3)], values[s.chance.IntN(3)]
	s.note("the configuration has HTTP settings %t %t", outbound != nil && *outbound, secure != nil && *secure)
	s.configured = func(c *farm.Farm) {
		c.Office.AllowOutboundHTTP, c.Office.AllowHTTPSecureStoreConnections = outbound, secure
	}
}

// drawDisturbance is what another administrator does, or a machine.
func (s *sequence) drawDisturbance() {
	s.disturbedAt, s.undisturbed = s.env.Now(), false
	office := s.sim.State().OfficeMembers()
	host := office[s.chance.IntN(len(office))].Host
	switch s.chance.IntN(3) {
	case 0:
		s.note("another administrator deletes the certificate that is set from %s", host)
		s.deleteSelected(host)
	case 1:
		s.note("another administrator removes an issuer")
		s.removeIssuer(s.t)
	case 2:
		s.note("WACSM stops on %s", host)
		if err := s.sim.World.Impose(host, model.Condition{Kind: model.ServiceFails, Service: model.WACSM, Starts: s.chance.IntN(3)}, true); err != nil {
			s.t.Error(err)
		}
	}
	s.sendEvent(fmt.Sprint(len(s.log)))
}

func (s *sequence) deleteSelected(host string) {
	session := s.logOn(s.t, host)
	certificates, err := session.AllCertificates(model.My)
	if err != nil {
		s.t.Error(err)
		return
	}
	for _, m := range s.sim.State().OfficeMembers() {
		for _, c := range certificates {
			if m.Host == host && c.FriendlyName == m.Settings.S2SCertificateName {
				if _, err := session.RemoveFromStore(model.My, c.Thumbprint); err != nil {
					s.t.Error(err)
				}
			}
		}
	}
}
