package workflows_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/workflows"
)

// The flags must follow the package in go test's arguments.
var (
	sequences = flag.Int("seeds", 12, "run this `many` random sequences")
	firstSeed = flag.Uint64("seed", 1, "the `seed` of the first random sequence; the others follow")
)

// TestRandomSequences lives through what a farm may meet in some days: renewals,
// repairs, changed settings, failures, services that stop, and all that operators and
// deadlines decide, drawn by seed. At every moment at which nothing is being done,
// data refreshes work, or the pages say that they may not.
//
//	go test ./workflows -run TestRandomSequences -seeds 300
//	go test ./workflows -run TestRandomSequences -seeds 1 -seed 42 -v
func TestRandomSequences(t *testing.T) {
	for i := range uint64(*sequences) {
		t.Run(fmt.Sprintf("seed %d", *firstSeed+i), func(t *testing.T) {
			t.Parallel()
			newSequence(t, *firstSeed+i).run()
		})
	}
}

// tick is the time between two things that happen.
const tick = 5 * time.Hour

// sequence is one random sequence. What it does and sees is logged, for a replay.
type sequence struct {
	*testController

	chance *rand.Rand
	// configured is how the farm's configuration differs now.
	configured func(*farm.Farm)
	// disturbedAt is when something was last done to the farm that its controller was
	// not told of.
	disturbedAt time.Time
	// waitsSince is when the run that waits now was first seen to, for what.
	waitsSince time.Time
	waitsFor   string
	// atRest is the trust when nothing was being done last, and undisturbed reports
	// whether nobody else has changed anything since.
	pairAtRest  string
	undisturbed bool
	lastRun     string
	log         []string
}

func newSequence(t *testing.T, seed uint64) *sequence {
	t.Helper()
	chance := rand.New(rand.NewPCG(seed, 0))
	f := newTestFarm(t, farmsim.Options{
		OfficeServers: 2 + chance.IntN(2), SharePointFarms: 1 + chance.IntN(2), SharePointServers: 1 + chance.IntN(2),
		Trusting: true, DistinctSubjects: chance.IntN(2) == 0,
	})
	s := &sequence{chance: chance, configured: func(*farm.Farm) {}, undisturbed: true}
	policy := drawPolicy(chance)
	f.configure = func(c *farm.Farm) {
		policy(&c.Rotation)
		s.configured(c)
	}
	s.testController = f.newController(t)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("replay it with -seeds 1 -seed %d\n%s", seed, strings.Join(s.log, "\n"))
		}
	})
	return s
}

// drawPolicy draws what decides by itself.
func drawPolicy(chance *rand.Rand) func(*farm.RotationPolicy) {
	approval, windowed, immediate := chance.IntN(4) == 0, chance.IntN(4) == 0, chance.IntN(4) == 0
	timeout := []time.Duration{time.Hour, 4 * time.Hour, day}[chance.IntN(3)]
	return func(p *farm.RotationPolicy) {
		p.Approval, p.DecisionTimeout, p.HealthyWithin = approval, timeout, 500*time.Millisecond
		p.InspectionInterval, p.KeepOldFor = 3*time.Hour, 2*day
		if windowed {
			p.Window = farm.Window{Days: []time.Weekday{0, 1, 2, 3, 4, 5, 6}, From: 2 * time.Hour, To: 5 * time.Hour, Zone: "UTC"}
		}
		if immediate {
			p.OnFailure = farm.OnFailureRollBack
		}
	}
}

func (s *sequence) run() {
	const steps = 16
	for i := range steps {
		s.after(time.Duration(i+1)*tick, func() {
			s.check()
			if i < steps-2 {
				s.act()
			}
		})
	}
	s.after((steps+1)*tick, s.stop)
	s.runFrom(controller.State{})
}

func (s *sequence) note(format string, args ...any) {
	s.log = append(s.log, s.env.Now().Format("02 15:04:05 ")+fmt.Sprintf(format, args...))
}

// waiting returns what the active run waits for, and nil while it works.
func (s *sequence) waiting(state controller.State) *farm.Status {
	if state.Active == nil {
		return nil
	}
	answer, err := s.env.QueryWorkflowByID(state.Active.WorkflowID, workflows.StatusQuery)
	var status farm.Status
	if err != nil || answer.Get(&status) != nil || status.Wait == nil || status.Wait.For == farm.ForController {
		return nil
	}
	return &status
}

// check compares the farm with what the pages say of it, while nothing is being done.
func (s *sequence) check() {
	s.t.Helper()
	if s.t.Failed() {
		return
	}
	state := s.state()
	status := s.waiting(state)
	s.describe(state, status)
	if state.Active != nil && status == nil {
		return
	}
	known := state.Inspected.At
	said := state.Inspected.RefreshDoubt != "" || state.Inspected.Unreachable
	if status != nil {
		text := status.Wait.Text
		if text != s.waitsFor {
			s.waitsFor, s.waitsSince = text, s.env.Now()
		}
		s.checkPair(*status)
		said = said || strings.Contains(text, "data refreshes fail") || strings.Contains(text, "is not known")
		known = s.waitsSince
	} else {
		s.waitsFor = ""
		s.checkRunEnded(state)
	}
	failures, err := s.sim.RefreshFailures()
	if err != nil {
		s.t.Error(err)
	}
	if len(failures) == 0 || said || !known.After(s.disturbedAt) || state.Active == nil && state.Inspected.Due {
		return
	}
	s.note("NOT SAID: %s", strings.Join(failures, "\n\t"))
	s.t.Errorf("data refreshes fail, and no page says so: %s", failures[0])
}

// checkPair asserts that an undo that is stuck before its first restart has left the
// name and the issuers as they were when it began, unless it says that it could not.
func (s *sequence) checkPair(status farm.Status) {
	s.t.Helper()
	isPair := func(b farm.Blocked) bool {
		return slices.Contains([]farm.Step{farm.StepRestoreS2SName, farm.StepRestoreHTTPSettings, farm.StepReplicationAgain, farm.StepRestoreIssuers}, b.Step) &&
			!strings.Contains(b.Text, "failed too")
	}
	restarted := status.Report.Reached(farm.StepRestartAgain) || status.Report.Reached(farm.StepStart)
	if status.Report.Intent != farm.Undo || restarted || !s.undisturbed || s.pairAtRest == "" || !slices.ContainsFunc(status.Wait.Blocked, isPair) {
		return
	}
	if pair := s.pair(); pair != s.pairAtRest {
		s.t.Errorf("an undo is stuck half-way:\n%s\nwhen it began it was\n%s", pair, s.pairAtRest)
	}
	if failures, err := s.sim.RefreshFailures(); err != nil || len(failures) > 0 {
		s.t.Errorf("an undo is stuck, and data refreshes fail: %v %v", failures, err)
	}
}

// checkRunEnded asserts that a run that went back has restored what was in use when it
// began, and nothing before that.
func (s *sequence) checkRunEnded(state controller.State) {
	s.t.Helper()
	pair := s.pair()
	if s.undisturbed && state.Last.RunID != s.lastRun && state.Last.Outcome == farm.RolledBack && state.UndoneAt != state.Last.At &&
		len(state.Unfinished) == 0 && s.pairAtRest != "" && pair != s.pairAtRest {
		s.t.Errorf("a rotation was rolled back, and the farm uses\n%s\nwhen it began it used\n%s", pair, s.pairAtRest)
	}
	s.lastRun = state.Last.RunID
	s.pairAtRest, s.undisturbed = pair, true
	failures, err := s.sim.RefreshFailures()
	if len(state.Unfinished) > 0 || len(failures) > 0 || err != nil {
		s.pairAtRest = "" // a rollback leads to what was before that
	}
}

// pair is the name and the certificates of the issuers, as they are set.
func (s *sequence) pair() string {
	now := s.sim.State()
	var lines []string
	for _, m := range now.OfficeMembers() {
		lines = append(lines, fmt.Sprintf("%s: %q", m.Host, m.Settings.S2SCertificateName))
	}
	for _, sp := range now.SharePoint {
		for _, i := range sp.Issuers {
			lines = append(lines, fmt.Sprintf("%s: %s: %s", sp.Name, i.Name, i.Thumbprint.Short()))
		}
	}
	return strings.Join(lines, "\n")
}

func (s *sequence) describe(state controller.State, status *farm.Status) {
	text := fmt.Sprintf("%s; last %s: %s; next %s; suspended %q; unfinished %d; doubt %q", state.Phase(), state.Last.Outcome, state.Last.Statement,
		state.Next.Reason, state.Suspended, len(state.Unfinished), state.Inspected.RefreshDoubt)
	if status != nil {
		text += fmt.Sprintf("; %s in %s waits for %s until %s: %s %+v", state.Active.WorkflowID, status.Phase, status.Wait.For, status.Wait.Until.Format("15:04"), status.Wait.Text, status.Wait.Blocked)
	}
	s.note("%s", text)
}

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
