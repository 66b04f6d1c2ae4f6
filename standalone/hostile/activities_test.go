package hostile

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/workflows"
)

// isStep reports whether an activity changes servers.
func isStep(name string) bool {
	method, _ := reflect.TypeFor[*activities.Activities]().MethodByName(name)
	return method.Type.NumOut() > 0 && method.Type.Out(0) == reflect.TypeFor[activities.StepResult]()
}

// calls returns the calls of an activity with the input of a forger, on each server.
func (f forger) calls(t *testing.T, name string, input reflect.Type, hosts []string) (all []call) {
	t.Helper()
	if input == nil {
		return []call{{Activity: name}}
	}
	if input.Kind() == reflect.String {
		return []call{{Activity: name, Input: encode(t, f.farm.Name), What: f.name}}
	}
	if !hasHost(input) {
		hosts = hosts[:1]
	}
	for _, host := range hosts {
		f.host = host
		inputs, err := f.inputs(input)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, in := range inputs {
			all = append(all, call{Activity: name, Input: encode(t, in), What: f.name + ", on " + host})
		}
	}
	return all
}

func hasHost(input reflect.Type) bool {
	_, ok := input.FieldByName("Host")
	return ok
}

func encode(t *testing.T, value any) json.RawMessage {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// testActivities schedules every activity by a workflow of the attacker's, under an ID of
// its own and under those of the farm's runs, each of which gets its share: each step is
// refused, and nothing changes the farm.
func testActivities(t *testing.T, w *world) {
	types := activityTypes()
	ids := []string{"attack", workflows.RotateID(w.farm.name), workflows.RetireID(w.farm.name)}
	for _, name := range slices.Sorted(maps.Keys(types)) {
		t.Run(name, func(t *testing.T) {
			shares := make([][]call, len(ids))
			for i, id := range ids {
				for j, f := range w.forgers(w.farm) {
					f.run.WorkflowID = id
					for k, c := range f.calls(t, name, types[name], w.farm.hosts()) {
						if (j+k)%len(ids) == i {
							shares[i] = append(shares[i], c)
						}
					}
				}
			}
			for i, id := range ids {
				for _, a := range w.attack(t, id, shares[i]) {
					if isStep(name) && a.Refused == "" {
						t.Errorf("%s, as %s, %s: not refused: %.300s", name, id, a.What, a.Result)
					}
				}
			}
			w.farm.requireUnchanged(t)
		})
	}
}
