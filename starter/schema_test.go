package main

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	generate "github.com/invopop/jsonschema"
	validate "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
	"github.com/farmtrust/farmtrust/internal/version"
)

var updateSchemas = flag.Bool("update", false, "write docs/schema again")

const module = "github.com/farmtrust/farmtrust"

// documents are the objects that -o json writes, by the names of their schemas.
func documents() map[string]any {
	return map[string]any{
		"farms": report.FarmList{}, "status": report.FarmStatus{}, "report": farm.Report{}, "check": report.CheckResult{}, "plan": report.Inspection{},
		"approval": farm.Status{}, "decision": decidedRun{}, "accepted": acceptance{}, "event": nothingDone{}, "version": version.Info{}, "keys": keyList{}, "audit": verifiedAudit{}, "error": failure{},
	}
}

// enums are the types whose values are a closed list.
var enums = map[reflect.Type][]string{
	reflect.TypeFor[controller.Standing]():    textsOf(controller.Standings()),
	reflect.TypeFor[controller.WorkerState](): textsOf(controller.WorkerStates()),
	reflect.TypeFor[report.Assessment]():      textsOf([]report.Assessment{report.InOrder, report.Differs, report.Stopped, report.Unobserved}),
}

func textsOf[T ~string](all []T) []string {
	var texts []string
	for _, one := range all {
		texts = append(texts, string(one))
	}
	return texts
}

// mapType describes the types that are not simply what they are made of.
func mapType(t reflect.Type) *generate.Schema {
	switch values, closed := enums[t]; {
	case t == reflect.TypeFor[time.Time]():
		return &generate.Schema{Type: "string", Format: "date-time", Pattern: "Z$"}
	case t == reflect.TypeFor[time.Duration]():
		panic("a time.Duration is written in nanoseconds; write milliseconds, under a name that ends in Ms")
	case closed:
		s := &generate.Schema{Type: "string"}
		for _, value := range values {
			s.Enum = append(s.Enum, value)
		}
		return s
	}
	return nil
}

// links are references to Go's names in comments.
var links = regexp.MustCompile(`\[([A-Za-z.]+)\]`)

// newSchema makes the schema of a document of its Go types and their comments.
func newSchema(t *testing.T, name string, document any) []byte {
	t.Helper()
	r := &generate.Reflector{Anonymous: true, Mapper: mapType, ExpandedStruct: true}
	for _, folder := range []string{"internal/farm", "internal/controller", "internal/report", "internal/version"} {
		if err := r.AddGoComments(module, "./"+folder, generate.WithFullComment()); err != nil {
			t.Fatal(err)
		}
	}
	for key, comment := range r.CommentMap {
		r.CommentMap[key] = links.ReplaceAllString(strings.Join(strings.Fields(comment), " "), "$1")
	}
	s := r.Reflect(document)
	s.ID = generate.ID("https://" + module + "/docs/schema/" + name + ".json")
	s.Title = "farmtrust " + name
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(text, '\n')
}

func TestSchemas_AreThoseOfWhatIsWritten(t *testing.T) {
	t.Chdir("..")
	for name, document := range documents() {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("docs", "schema", name+".json")
			made := newSchema(t, name, document)
			if *updateSchemas {
				if err := os.WriteFile(path, made, 0o644); err != nil { //nolint:gosec // it is documentation
					t.Fatal(err)
				}
			}
			kept, err := os.ReadFile(path)
			if err != nil || string(kept) != string(made) {
				t.Errorf("%s is not that of its Go type (%v): go test ./starter -run Schemas -update writes it again; docs/json.md says which changes are allowed", path, err)
			}
		})
	}
}

// assertFits fails the test unless the last line of an output fits a schema.
func (o outcome) assertFits(t *testing.T, name string) {
	t.Helper()
	c := validate.NewCompiler()
	c.AssertFormat()
	schema, err := c.Compile(filepath.Join("..", "docs", "schema", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(o.out, "\n"), "\n")
	object, err := validate.UnmarshalJSON(strings.NewReader(lines[len(lines)-1]))
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, o.out, o.err)
	}
	if err := schema.Validate(object); err != nil {
		t.Errorf("%v\n%s", err, lines[len(lines)-1])
	}
}

func TestSchemas_HoldForWhatIsWritten(t *testing.T) {
	zurich := time.FixedZone("", 3600)
	busy := testReport("contoso", farm.Verified)
	busy.Decisions = []farm.RecordedDecision{{At: time.Now().In(zurich), Decision: farm.Decision{Choice: farm.Approve, By: "ada", Reason: "change 4711"}}}
	busy.Findings = []farm.Finding{{Code: "fips", Severity: farm.Warn, Text: "a policy"}}
	wait := &farm.Wait{For: farm.ForWindow, Text: "the window opens", Until: time.Now().Add(time.Hour).In(zurich)}
	f := startTemporal(t, &fakeTemporal{
		onStart: inspectionOf(differs),
		onStatus: func(string) (farm.Status, error) {
			return farm.Status{Phase: farm.PhaseWaiting, Report: busy, Wait: wait}, nil
		},
		onEvent: func(string) controller.EventResult { return controller.EventResult{Reason: "trusted"} },
	})
	contoso := inOrderState("contoso")
	contoso.Active = &controller.ActiveRun{WorkflowID: "rotate/contoso", RunID: "r", Since: time.Now().In(zurich), Wait: wait}
	contoso.Retention.Snapshot = &farm.Snapshot{Previous: inUse(3)}
	contoso.Last = controller.LastRun{At: time.Now(), Outcome: farm.Verified}
	contoso.Mailbox.Pending = []controller.Event{{ID: "e1", Summary: "near expiry"}}
	f.addController(contoso)
	f.addController(inOrderState("fabrikam"))
	f.addController(controller.State{Farm: "new"})
	f.endRun(f.addRotation("fabrikam"), ending{result: busy})
	f.addRotation("contoso")
	f.acceptRequests(&ending{result: busy})
	approving := &farm.Wait{For: farm.ForApproval, Digest: "1a2b3c4d5e6f", Until: time.Now().Add(time.Hour).In(zurich)}
	decision := "retry contoso --reason r --by ada"
	for command, schema := range map[string]string{
		"farms": "farms", "status": "farms", "status contoso": "status", "status fabrikam": "status", "status new": "status",
		"report fabrikam": "report", "rotate fabrikam": "report", "plan fabrikam": "plan", "check fabrikam": "check", decision: "decision",
		"resume fabrikam --reason r": "accepted", "rotate fabrikam --detach": "accepted", "event - --farm fabrikam": "event", "version": "version", "status cotoso": "error",
	} {
		t.Run(command, func(t *testing.T) {
			got := runProgramWith(t, t.Context(), near("e2", "kv", "c"), append(strings.Fields(command), "-o", "json")...)
			got.assertFits(t, schema)
		})
	}
	t.Run("approve contoso", func(t *testing.T) {
		f.onStatus = func(string) (farm.Status, error) {
			return farm.Status{Phase: farm.PhaseWaiting, Report: busy, Wait: approving}, nil
		}
		got := runProgram(t, "approve", "contoso", "-o", "json")
		got.assertExit(t, exitDiffers)
		got.assertFits(t, "approval")
	})
}
