package workflows_test

import (
	"crypto/rand"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"

	"github.com/farmtrust/farmtrust/internal/authority"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/sshsig"
	"github.com/farmtrust/farmtrust/workflows"
)

// people are the keys of persons, which OpenSSH made, by name.
type people map[string]string

// letDecide configures persons who may decide about a farm by their keys.
func (f *testFarm) letDecide(t *testing.T, persons ...config.Person) people {
	t.Helper()
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("OpenSSH is not here: install openssh-client")
	}
	keys := people{}
	for i, p := range persons {
		keys[p.Name] = filepath.Join(t.TempDir(), "key")
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys[p.Name]).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		line, err := os.ReadFile(keys[p.Name] + ".pub")
		if err != nil {
			t.Fatal(err)
		}
		key, err := sshsig.ParseKey(string(line))
		if err != nil {
			t.Fatal(err)
		}
		persons[i].Keys = []sshsig.Key{key}
	}
	f.activities.Authority = &authority.Authority{
		Approvers: &config.Approvers{People: persons}, Seals: f.activities.Seals, Now: time.Now,
		FourEyes: func(name string) bool { c, _ := f.Farm(name); return c.Rotation.FourEyes },
	}
	return keys
}

// sign has OpenSSH sign a statement, as of a moment.
func (p people) sign(t *testing.T, name string, s farm.Statement, at time.Time) *farm.Proof {
	t.Helper()
	nonce := make([]byte, 16)
	_, _ = rand.Read(nonce)
	proof := &farm.Proof{At: at.UTC().Truncate(time.Second), Nonce: hex.EncodeToString(nonce)}
	cmd := exec.Command("ssh-keygen", "-q", "-Y", "sign", "-n", farm.SignatureNamespace, "-f", p[name])
	cmd.Stdin = strings.NewReader(s.Text(proof.At, proof.Nonce))
	signature, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	proof.Signature = string(signature)
	return proof
}

// signed is a decision about a run, signed by a person.
func (r *testRun) signed(keys people, name string, d farm.Decision) farm.Decision {
	r.t.Helper()
	d.By, d.Reason = "somebody", "change 4711"
	d.Proof = keys.sign(r.t, name, d.State(farmsim.FarmName, r.id, testRunID, strings.HasPrefix(r.id, "retire/")), time.Now())
	return d
}

// testRunID is the run ID of the workflow that Temporal's test environment runs.
const testRunID = "default-test-run-id"

// An operator without a proof, one who may not, and one who is somebody else are refused,
// and nothing is changed until a person approves whom the worker's configuration knows.
func TestRotateTrust_ApprovedByAPerson(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{Trusting: true})
	f.setPolicy(requireApproval)
	keys := f.letDecide(t, config.Person{Name: "Ada", May: farm.Rights()}, config.Person{Name: "Brun", May: []farm.Right{farm.RightOperate}})
	r := f.newRun(t)
	r.after(time.Hour, func() {
		digest := r.requireWait(farm.ForApproval).Digest
		r.assertDecisionRefused(farm.Decision{Choice: farm.Approve, Digest: digest, By: "Ada", Reason: "forged"}, "nothing proves who decides")
		r.assertDecisionRefused(r.signed(keys, "Brun", farm.Decision{Choice: farm.Approve, Digest: digest}), "Brun may not")
		elsewhere := r.signed(keys, "Ada", farm.Decision{Choice: farm.Retry})
		elsewhere.Choice, elsewhere.Digest = farm.Approve, digest
		r.assertDecisionRefused(elsewhere, "not of this text")
	})
	r.after(2*time.Hour, func() {
		if hosts := r.hostsOf("TrustIssuer"); len(hosts) > 0 {
			t.Errorf("the cutover has begun on %v", hosts)
		}
		r.decide(r.signed(keys, "Ada", farm.Decision{Choice: farm.Approve, Digest: r.requireWait(farm.ForApproval).Digest}))
	})
	rotated := r.rotate().requireOutcome(farm.Verified)
	decisions := rotated.Decisions
	if len(decisions) != 1 || decisions[0].By != "Ada" || !strings.HasPrefix(decisions[0].Verified, "SSH key: SHA256:") || decisions[0].Proof != nil {
		t.Errorf("the report says %+v", decisions)
	}
}

// A run that is told, by anybody who answers its tasks, that it was approved gets no mandate
// to cut over: the worker confirms who has approved.
func TestRotateTrust_ApprovalThatNobodyGave(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{Trusting: true})
	f.setPolicy(requireApproval)
	f.letDecide(t, config.Person{Name: "Ada", May: farm.Rights()})
	confirming := f.activities.Authority
	r := f.newRun(t)
	f.activities.Authority = nil // the workflow is let through
	r.after(time.Hour, r.approve)
	r.onActivity("PermitCutover", func() { f.activities.Authority = confirming })
	r.after(2*time.Hour, func() {
		r.requireWait(farm.ForDecision)
		f.activities.Authority = nil
		r.decide(farm.Decision{Choice: farm.RollBack})
	})
	r.rotate().requireOutcome(farm.RolledBack)
}

// Who asked for a rotation does not approve it where four eyes must see it.
func TestManageFarm_FourEyes(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{Trusting: true})
	f.setPolicy(func(p *farm.RotationPolicy) { p.Approval, p.FourEyes = true, true })
	keys := f.letDecide(t, config.Person{Name: "Ada", May: farm.Rights()}, config.Person{Name: "Brun", May: farm.Rights()})
	c := f.newController(t)
	c.unreleased()
	rotate := controller.Request{Kind: controller.RequestRotate, By: "Brun", Reason: "change 4711"}
	c.after(time.Hour, func() {
		c.assertRequestRefused(rotate, "nothing proves who decides")
		rotate.Compromised = true
		rotate.Proof = keys.sign(t, "Ada", controller.Request{Kind: controller.RequestRotate, Reason: "change 4711"}.State(farmsim.FarmName, workflows.ControllerID(farmsim.FarmName)), time.Now())
		c.assertRequestRefused(rotate, "not of this text")
	})
	c.after(2*time.Hour, func() {
		rotate := controller.Request{Kind: controller.RequestRotate, By: "Brun", Reason: "change 4711"}
		rotate.Proof = keys.sign(t, "Ada", rotate.State(farmsim.FarmName, workflows.ControllerID(farmsim.FarmName)), time.Now())
		c.sendUpdate(workflows.RequestUpdate, rotate, func(_ any, err error) {
			if err != nil {
				t.Errorf("refused: %v", err)
			}
		})
	})
	c.after(3*time.Hour, func() {
		if active := c.state().Active; active == nil || !strings.Contains(active.Reason, "(Ada)") {
			t.Fatalf("what runs is %+v", active)
		}
		c.approveAs(keys, "Ada", "somebody else must approve it")
	})
	c.after(4*time.Hour, func() { c.approveAs(keys, "Brun", "") })
	state := c.runUntil(5 * time.Hour)
	requireRun(t, state, run{Outcome: farm.Verified, HasSnapshot: true})
}

// approveAs has a person approve what the rotation waits for; a refusal must say why.
func (c *testController) approveAs(keys people, name, refusal string) {
	c.t.Helper()
	id := workflows.RotateID(farmsim.FarmName)
	answer, err := c.env.QueryWorkflowByID(id, workflows.StatusQuery)
	if err != nil {
		c.t.Fatal(err)
	}
	var s farm.Status
	if err := answer.Get(&s); err != nil || s.Wait == nil {
		c.t.Fatalf("it waits for %+v, %v", s.Wait, err)
	}
	d := farm.Decision{Choice: farm.Approve, Digest: s.Wait.Digest, By: "somebody", Reason: "change 4711"}
	d.Proof = keys.sign(c.t, name, d.State(farmsim.FarmName, id, c.state().Active.RunID, false), time.Now())
	if err := c.env.UpdateWorkflowByID(id, workflows.DecideUpdate, name, &testsuite.TestUpdateCallback{
		OnAccept: func() {}, OnReject: func(err error) { c.t.Error(err) }, OnComplete: func(_ any, err error) {
			if (err == nil) != (refusal == "") || err != nil && !strings.Contains(err.Error(), refusal) {
				c.t.Errorf("%s is answered with %v, want %q", name, err, refusal)
			}
		},
	}, d); err != nil {
		c.t.Error(err)
	}
}
