package activities_test

import (
	_ "embed"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/keyring"
	"github.com/farmtrust/farmtrust/internal/seal"
)

// stepInput returns the input of a step on the farm, which names a certificate.
func stepInput(method reflect.Method) reflect.Value {
	in := reflect.New(method.Type.In(2)).Elem()
	in.FieldByName("Farm").SetString("contoso")
	certificateOf(in).FieldByName("Thumbprint").SetString("AE3801E8")
	return in
}

// certificateOf is the certificate of a step's input.
func certificateOf(in reflect.Value) reflect.Value {
	if old := in.FieldByName("Old"); old.IsValid() {
		return old
	}
	return in.FieldByName("Target")
}

// TestMandate has every step, the ones that are yet to be written too, meet mandates that
// do not fit. No server is reached: there is none.
func TestMandate(t *testing.T) {
	own, foreign := seal.New(keyring.Generated()), seal.New(keyring.Generated())
	for name, c := range map[string]struct {
		// with gives the input a mandate.
		with func(a *activities.Activities, in any) any
		// after alters it then.
		after func(in reflect.Value)
		kind  string
		says  string
	}{
		"none": {
			with: func(_ *activities.Activities, in any) any { return in },
			kind: activities.NotSealed, says: "rotate again",
		},
		"another key": {
			with: func(_ *activities.Activities, in any) any {
				return withMandate(&activities.Activities{Seals: foreign}, in)
			},
			kind: activities.NotMandated, says: "a key that this worker does not have",
		},
		"another run of the workflow": {
			with: func(a *activities.Activities, in any) any {
				return changeMandate(a, in, func(m *activities.Mandate) { m.Run = "an earlier one" })
			},
			kind: activities.NotMandated, says: "was given to another run",
		},
		"another workflow": {
			with: func(a *activities.Activities, in any) any {
				return changeMandate(a, in, func(m *activities.Mandate) { m.Workflow = "rotate/contoso" })
			},
			kind: activities.NotMandated, says: "was given to another run",
		},
		"nothing": {
			with: func(a *activities.Activities, in any) any {
				return changeMandate(a, in, func(m *activities.Mandate) { m.May = nil })
			},
			kind: activities.NotMandated, says: "its mandate is to do nothing",
		},
		"another certificate": {
			with: withMandate, after: func(in reflect.Value) { certificateOf(in).FieldByName("Thumbprint").SetString("166A2CE3") },
			kind: activities.NotMandated, says: "not what a worker sealed",
		},
		"other bytes for the certificate": {
			with: withMandate, after: func(in reflect.Value) { certificateOf(in).FieldByName("DER").SetBytes([]byte("attacker's")) },
			kind: activities.NotMandated, says: "not what a worker sealed",
		},
		"another farm": {
			with: withMandate, after: func(in reflect.Value) { in.FieldByName("Farm").SetString("fabrikam") },
			kind: activities.NotMandated, says: "is not for farm fabrikam",
		},
		"more than it was given for": {
			with: withMandate, after: func(in reflect.Value) {
				m := in.FieldByName("Mandate").FieldByName("May")
				m.Set(reflect.Append(m, reflect.ValueOf(activities.MayDelete)))
			},
			kind: activities.NotMandated, says: "not what a worker sealed",
		},
	} {
		for method := range reflect.TypeFor[*activities.Activities]().Methods() {
			if slices.Contains(readingActivities, method.Name) {
				continue
			}
			t.Run(name+"/"+method.Name, func(t *testing.T) {
				a := &activities.Activities{Farms: testFarm{}, Now: time.Now, Remote: testServer{}, Runs: &testRuns{}, Seals: own}
				in := reflect.New(method.Type.In(2)).Elem()
				in.Set(reflect.ValueOf(c.with(a, stepInput(method).Interface())))
				if c.after != nil {
					c.after(in)
				}
				err := executeAs(a, method.Name, in.Interface())
				assertFailure(t, err, failure{Type: c.kind, Final: true}, c.says)
			})
		}
	}
}

// TestMandate_Stages has every step meet a mandate for each stage: it is for one or two of
// them, and for no other.
func TestMandate_Stages(t *testing.T) {
	all := []activities.Stage{activities.MayStage, activities.MayCutOver, activities.MayRestore, activities.MayArchive, activities.MayDelete}
	for method := range reflect.TypeFor[*activities.Activities]().Methods() {
		if slices.Contains(readingActivities, method.Name) {
			continue
		}
		t.Run(method.Name, func(t *testing.T) {
			fits := 0
			for _, stage := range all {
				a := &activities.Activities{Farms: testFarm{}, Now: time.Now, Remote: testServer{}, Runs: &testRuns{}, Seals: seal.New(keyring.Generated())}
				in := changeMandate(a, stepInput(method).Interface(), func(m *activities.Mandate) { m.May = []activities.Stage{stage} })
				if kind := failureOf(executeAs(a, method.Name, in)).Type; kind != activities.NotMandated {
					fits++
				}
			}
			if fits == 0 || fits > 2 {
				t.Errorf("a mandate for one of %d stages will do, want one or two", fits)
			}
		})
	}
}

// TestRestore_Sealed gives what restores parts of another snapshot, of another server, and
// parts that were altered.
func TestRestore_Sealed(t *testing.T) {
	bundle := makeSelfSigned(t, time.Now(), time.Hour)
	a := &activities.Activities{Farms: testFarm{bundle: bundle}, Certificates: testFarm{bundle: bundle}, Now: time.Now, Remote: testServer{}, Runs: &testRuns{}, Seals: seal.New(keyring.Generated())}
	forged := farm.SharePointBefore{FrontEnd: "sp-01", Issuers: []farm.TokenIssuer{{RegisteredName: farm.Issuers()[0].RegisteredName, Certificate: []byte("attacker's")}}}
	for name, c := range map[string]struct {
		seal string
		kind string
	}{
		"clear":   {"", activities.NotSealed},
		"made up": {"k1:AAAA", activities.BadSeal},
	} {
		t.Run(name, func(t *testing.T) {
			part := forged
			part.Seal = c.seal
			issuer := activities.TrustIssuerInput{ServerInput: onFrontEnd, Issuer: farm.Issuers()[0].RegisteredName}
			assertFails(t, a, a.RestoreIssuer, activities.RestoreIssuerInput{TrustIssuerInput: issuer, Before: part}, failure{Type: c.kind, Final: true}, "sp-01")
			assertFails(t, a, a.RemoveRootAuthorities, activities.RemoveRootAuthoritiesInput{ServerInput: onFrontEnd, Before: part}, failure{Type: c.kind, Final: true}, "sp-01")
			office := farm.OfficeBefore{Host: "oos-01", S2SCertificateName: "attacker's", Seal: c.seal}
			settings := activities.RestoreSettingsInput{ServerInput: onOffice, Before: activities.SettingsBefore{Farm: office, Server: office}}
			assertFails(t, a, a.RestoreS2SCertificate, settings, failure{Type: c.kind, Final: true}, "oos-01")
			assertFails(t, a, a.RestoreHTTPSettings, settings, failure{Type: c.kind, Final: true}, "oos-01")
			assertFails(t, a, a.AwaitReplication, activities.ReplicationInput{ServerInput: onOffice, Before: &settings.Before}, failure{Type: c.kind, Final: true}, "oos-01")
			assertFails(t, a, a.StartOffice, activities.StartOfficeInput{ServerInput: onOffice, Before: office}, failure{Type: c.kind, Final: true}, "oos-01")
			for _, step := range []any{a.RevokeKey, a.RemoveCertificate} {
				assertFails(t, a, step, activities.RestoreOfficeInput{ServerInput: onOffice, Before: office}, failure{Type: c.kind, Final: true}, "oos-01")
			}
		})
	}
}

// TestKeepSnapshot_Foreign hands over a snapshot that workers with the same keys sealed for
// another farm, and one of another run that the controller does not name.
func TestKeepSnapshot_Foreign(t *testing.T) {
	for name, c := range map[string]struct {
		farm, run  string
		kind, says string
	}{
		"another farm's":          {"fabrikam", testRun, activities.BadSeal, "is of farm fabrikam"},
		"an earlier run's":        {"contoso", "an earlier one", activities.NotMandated, "does not name the snapshot"},
		"another farm's, renamed": {"", testRun, activities.BadSeal, "is of farm"},
	} {
		t.Run(name, func(t *testing.T) {
			a := &activities.Activities{Farms: testFarm{}, Now: time.Now, Remote: testServer{}, Runs: &testRuns{}, Seals: seal.New(keyring.Generated())}
			s := farm.Snapshot{ID: "S", Farm: c.farm, Run: c.run, Target: farm.Certificate{Thumbprint: "AE3801E8"}, Previous: farm.StoreCertificate{Thumbprint: "166A2CE3"}}
			if err := activities.SealSnapshot(a, &s); err != nil {
				t.Fatal(err)
			}
			in := activities.KeepSnapshotInput{Farm: "contoso", Intent: farm.Rollback, Snapshot: &s}
			assertFails(t, a, a.KeepSnapshot, in, failure{Type: c.kind, Final: true}, c.says)
		})
	}
}

// sealedBefore is a snapshot as a version of 2026-11-29 has sealed it with keysBefore, with
// a value in every field.
//
//go:embed testdata/sealed-snapshot.json
var sealedBefore []byte

const keysBefore = "k1 MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n"

// TestSeal_OfEarlierVersions opens a snapshot that an earlier version has sealed: what is
// sealed is written the same way for years. A new field is left out while it is empty.
func TestSeal_OfEarlierVersions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seal.keys")
	if err := os.WriteFile(path, []byte(keysBefore), 0o600); err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	a := &activities.Activities{Farms: testFarm{}, Now: time.Now, Remote: testServer{}, Runs: &testRuns{}, Seals: seal.New(ring)}
	var s farm.Snapshot
	if err := json.Unmarshal(sealedBefore, &s); err != nil {
		t.Fatal(err)
	}
	var kept activities.Kept
	if err := execute(a, a.KeepSnapshot, activities.KeepSnapshotInput{Farm: "contoso", Intent: farm.Rollback, Snapshot: &s}, &kept); err != nil {
		t.Fatal(err)
	}
	in := activities.ServerInput{Farm: "contoso", Host: "oos-01", Target: s.Target, Mandate: kept.Mandate}
	err = executeAs(a, a.RevokeKey, activities.RestoreOfficeInput{ServerInput: in, Before: s.OfficeBefore("oos-01")})
	if kind := failureOf(err).Type; kind != "CommandNotFoundException" {
		t.Errorf("the part of oos-01 is not restored: %v", err)
	}
}

// TestMandate_Except has every step on a server meet a mandate that leaves this server out.
func TestMandate_Except(t *testing.T) {
	met := 0
	for method := range reflect.TypeFor[*activities.Activities]().Methods() {
		if slices.Contains(readingActivities, method.Name) || !stepInput(method).FieldByName("Host").IsValid() {
			continue
		}
		met++
		t.Run(method.Name, func(t *testing.T) {
			a := &activities.Activities{Farms: testFarm{}, Now: time.Now, Remote: testServer{}, Runs: &testRuns{}, Seals: seal.New(keyring.Generated())}
			in := stepInput(method)
			in.FieldByName("Host").SetString("oos-02")
			leavesOut := changeMandate(a, in.Interface(), func(m *activities.Mandate) { m.Except = []string{"oos-02"} })
			assertFailure(t, executeAs(a, method.Name, leavesOut), failure{Type: activities.NotMandated, Final: true}, "the run leaves out oos-02")
		})
	}
	if met < 10 {
		t.Errorf("only %d steps on servers were found", met)
	}
}
