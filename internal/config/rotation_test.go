package config_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestEachMistakeOfARotationIsNamedWithItsPlaceAndRemedy(t *testing.T) {
	eachIsNamed(t, map[string]badInput{
		"nobody at once": {
			"connections:", "    rotation: {atOnce: 0}\nconnections:",
			"8: farms[0].rotation.atOnce: must be a whole number within bounds: write a number from 1 to 100",
		},
		"too many at once": {
			"connections:", "    rotation: {restartAtOnce: 101}\nconnections:",
			"8: farms[0].rotation.restartAtOnce: must be a whole number within bounds: write a number from 1 to 100",
		},
		"approval of another word": {
			"connections:", `    rotation: {approval: ask}` + "\nconnections:",
			`8: farms[0].rotation.approval: unknown value "ask": the choices are required, none`,
		},
		"approval that is a truth value": {
			"connections:", `    rotation: {approval: true}` + "\nconnections:",
			`8: farms[0].rotation.approval: must be a string, but is a single value: write a string, with quotes around numbers and words such as true`,
		},
		"window without a zone": {
			"connections:", `    rotation: {window: "Sat 22:00-04:00"}` + "\nconnections:",
			`8: farms[0].rotation.window: window "Sat 22:00-04:00" is not of the form "Sat 22:00-04:00 Europe/Zurich": write days (Sat, Mon-Fri or daily), hours and a time zone`,
		},
		"window in the zone of the machine": {
			"connections:", `    rotation: {window: "Sat 22:00-04:00 Local"}` + "\nconnections:",
			`8: farms[0].rotation.window: window "Sat 22:00-04:00 Local": time zone "Local" is not an IANA name such as Europe/Zurich: write days (Sat, Mon-Fri or daily), hours and a time zone`,
		},
		"window on no day of the week": {
			"connections:", `    rotation: {window: "Sam 22:00-04:00 UTC"}` + "\nconnections:",
			`8: farms[0].rotation.window: window "Sam 22:00-04:00 UTC": "Sam" is not a day of the week: write days (Sat, Mon-Fri or daily), hours and a time zone`,
		},
		"window that is a list": {
			"connections:", `    rotation: {window: [Sat, Sun]}` + "\nconnections:",
			`8: farms[0].rotation.window: must be a string, but is a list: write a string, with quotes around numbers and words such as true`,
		},
		"window shorter than the switch": {
			"connections:", `    rotation: {window: "Sat 23:50-00:05 UTC"}` + "\nconnections:",
			`8: farms[0].rotation.window: is open for 15m, but the cutover of this farm takes about 16m: make it at least that long`,
		},
		"unknown way on after a failure": {
			"connections:", `    rotation: {onFailure: rolback}` + "\nconnections:",
			`8: farms[0].rotation.onFailure: unknown value "rolback": did you mean rollback?`,
		},
		"parked for too short a time": {
			"connections:", `    rotation: {decisionTimeout: 59s}` + "\nconnections:",
			`8: farms[0].rotation.decisionTimeout: 59s is out of bounds: write 1m or longer`,
		},
		"parked for no time": {
			"connections:", `    rotation: {decisionTimeout: 0s}` + "\nconnections:",
			`8: farms[0].rotation.decisionTimeout: "0s" is not a positive duration: write a duration such as 30d, 12h or 90m`,
		},
		"keepOldFor shorter than SharePoint may take": {
			"connections:", `    rotation: {keepOldFor: 23h59m}` + "\nconnections:",
			`8: farms[0].rotation.keepOldFor: 23h59m is out of bounds: write 24h or longer`,
		},
		"negative keepOldFor": {
			"connections:", `    rotation: {keepOldFor: -1d}` + "\nconnections:",
			`8: farms[0].rotation.keepOldFor: "-1d" is not a positive duration: write a duration such as 30d, 12h or 90m`,
		},
		"keepOldFor without a unit": {
			"connections:", `    rotation: {keepOldFor: 14}` + "\nconnections:",
			`8: farms[0].rotation.keepOldFor: must be a string, but is a number: write a string, with quotes around numbers and words such as true`,
		},
		"looks without end": {
			"connections:", `    rotation: {inspectionInterval: 59s}` + "\nconnections:",
			`8: farms[0].rotation.inspectionInterval: 59s is out of bounds: write a duration from 1m to 7d`,
		},
		"looks too far apart": {
			"connections:", `    rotation: {inspectionInterval: 7d1s}` + "\nconnections:",
			`8: farms[0].rotation.inspectionInterval: 7d1s is out of bounds: write a duration from 1m to 7d`,
		},
	})
}

func TestAPersonApprovesUnlessAWindowOrTheFileSaysOtherwise(t *testing.T) {
	for rotation, want := range map[string]bool{
		`{}`:               true,
		`{approval: none}`: false,
		`{window: "Sat 22:00-04:00 Europe/Zurich"}`:                     false,
		`{window: "Sat 22:00-04:00 Europe/Zurich", approval: required}`: true,
		`{approval: required, window: "Sat 22:00-04:00 Europe/Zurich"}`: true,
		`{approval: none, window: "Sat 22:00-04:00 Europe/Zurich"}`:     false,
	} {
		if got := rotating(t, rotation).Farms[0].Rotation.Approval; got != want {
			t.Errorf("%s: approval is %t", rotation, got)
		}
	}
}

func TestTheBoundsOfARotationThemselvesAreAllowed(t *testing.T) {
	got := rotating(t, `{window: Sat 23:50-00:06 UTC, decisionTimeout: 1m, keepOldFor: 24h, inspectionInterval: 7d}`).Farms[0].Rotation
	want := farm.RotationPolicy{
		AtOnce: 10, RestartAtOnce: 1, OnFailure: farm.OnFailurePause,
		Window:          farm.Window{Days: []time.Weekday{time.Saturday}, From: 23*time.Hour + 50*time.Minute, To: 6 * time.Minute, Zone: "UTC"},
		DecisionTimeout: time.Minute, KeepOldFor: 24 * time.Hour, InspectionInterval: 168 * time.Hour,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAWindowIsHeldAgainstTheServersOfItsOwnFarm(t *testing.T) {
	const window = "    rotation: {restartAtOnce: %d, window: daily 01:00-01:24 UTC}\nconnections:"
	grown := strings.Replace(smallest, "[oos-01]", "[oos-01, oos-02, oos-03, oos-04, oos-05]", 1)
	if _, err := config.Load(file(t, strings.Replace(grown, "connections:", fmt.Sprintf(window, 2), 1))); err != nil {
		t.Errorf("two at once: %v", err)
	}
	want := "8: farms[0].rotation.window: is open for 24m, but the cutover of this farm takes about 28m: make it at least that long"
	if got := problemsOf(t, strings.Replace(grown, "connections:", fmt.Sprintf(window, 1), 1)); got != want {
		t.Errorf("one at once: got\n%s\nwant\n%s", got, want)
	}
}

func TestNoSoakIsForThoseWhoMeanIt(t *testing.T) {
	for _, none := range []string{"0", "0d", "0s", "'0'"} {
		c := rotating(t, "{keepOldFor: "+none+"}")
		if got := c.Farms[0].Rotation.KeepOldFor; got != 0 {
			t.Errorf("keepOldFor: %s is %v", none, got)
		}
		want := []string{
			"8: farms[0].rotation.keepOldFor: the previous certificate is not kept, although SharePoint servers may take 24 hours to recognize the new one: keep it for 24h or longer",
		}
		if diff := cmp.Diff(want, lines(c.Path, c.Warnings)); diff != "" {
			t.Errorf("keepOldFor: %s: -want +got:\n%s", none, diff)
		}
	}
}

// rotating loads the smallest file with a rotation.
func rotating(t *testing.T, rotation string) *config.Config {
	t.Helper()
	c, err := config.Load(file(t, strings.Replace(smallest, "connections:", "    rotation: "+rotation+"\nconnections:", 1)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}
