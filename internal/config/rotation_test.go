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

func TestLoad_RotationProblems(t *testing.T) {
	assertProblems(t, map[string]badConfig{
		"no server in parallel": {
			"connections:", "    rotation: {atOnce: 0}\nconnections:",
			"8: farms[0].rotation.atOnce: must be a whole number within bounds: write a number from 1 to 100",
		},
		"too many servers in parallel": {
			"connections:", "    rotation: {restartAtOnce: 101}\nconnections:",
			"8: farms[0].rotation.restartAtOnce: must be a whole number within bounds: write a number from 1 to 100",
		},
		"unknown kind of approval": {
			"connections:", `    rotation: {approval: ask}` + "\nconnections:",
			`8: farms[0].rotation.approval: unknown value "ask": the choices are required, none`,
		},
		"approval that is a boolean": {
			"connections:", `    rotation: {approval: true}` + "\nconnections:",
			`8: farms[0].rotation.approval: must be a word, but is true: write required or none`,
		},
		"window until the end of the day": {
			"connections:", `    rotation: {window: "Sat 22:00-24:00 UTC"}` + "\nconnections:",
			`8: farms[0].rotation.window: window "Sat 22:00-24:00 UTC": the end of a day is written 00:00, not 24:00: write days (Sat, Mon-Fri or daily), hours and a time zone`,
		},
		"window in a zone of Windows": {
			"connections:", `    rotation: {window: "Sat 22:00-04:00 W. Europe Standard Time"}` + "\nconnections:",
			`8: farms[0].rotation.window: the names that Windows gives to time zones are not understood: write the IANA name, such as Europe/Berlin for W. Europe Standard Time`,
		},
		"window without a zone": {
			"connections:", `    rotation: {window: "Sat 22:00-04:00"}` + "\nconnections:",
			`8: farms[0].rotation.window: window "Sat 22:00-04:00" is not of the form "Sat 22:00-04:00 Europe/Zurich": write days (Sat, Mon-Fri or daily), hours and a time zone`,
		},
		"window in the machine's own zone": {
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
		"window shorter than the cutover": {
			"connections:", `    rotation: {window: "Sat 23:50-00:05 UTC"}` + "\nconnections:",
			`8: farms[0].rotation.window: is open for 15m, but the cutover of this farm takes about 18m: make it at least that long`,
		},
		"unknown policy for failures": {
			"connections:", `    rotation: {onFailure: rolback}` + "\nconnections:",
			`8: farms[0].rotation.onFailure: unknown value "rolback": did you mean rollback?`,
		},
		"decision timeout too short": {
			"connections:", `    rotation: {decisionTimeout: 59s}` + "\nconnections:",
			`8: farms[0].rotation.decisionTimeout: 59s is out of bounds: write 1m or longer`,
		},
		"approval timeout too long": {
			"connections:", `    rotation: {approvalTimeout: 91d}` + "\nconnections:",
			`8: farms[0].rotation.approvalTimeout: 91d is out of bounds: write a duration from 1h to 90d`,
		},
		"no decision timeout": {
			"connections:", `    rotation: {decisionTimeout: 0s}` + "\nconnections:",
			`8: farms[0].rotation.decisionTimeout: "0s" is not a positive duration: write a duration such as 30d, 12h or 90m`,
		},
		"retention shorter than SharePoint may need": {
			"connections:", `    rotation: {keepOldFor: 23h59m}` + "\nconnections:",
			`8: farms[0].rotation.keepOldFor: 23h59m is out of bounds: write 24h or longer`,
		},
		"negative retention": {
			"connections:", `    rotation: {keepOldFor: -1d}` + "\nconnections:",
			`8: farms[0].rotation.keepOldFor: "-1d" is not a positive duration: write a duration such as 30d, 12h or 90m`,
		},
		"retention without a unit": {
			"connections:", `    rotation: {keepOldFor: 14}` + "\nconnections:",
			`8: farms[0].rotation.keepOldFor: 14 has no unit: write 14d, 14h or 14m`,
		},
		"inspections too frequent": {
			"connections:", `    rotation: {inspectionInterval: 59s}` + "\nconnections:",
			`8: farms[0].rotation.inspectionInterval: 59s is out of bounds: write a duration from 1m to 7d`,
		},
		"foreign trust looked for too seldom": {
			"connections:", `    rotation: {watchInterval: 25h}` + "\nconnections:",
			`8: farms[0].rotation.watchInterval: 25h is out of bounds: write a duration from 1m to 24h`,
		},
		"waited for too long": {
			"connections:", `    rotation: {healthyWithin: 11m}` + "\nconnections:",
			`8: farms[0].rotation.healthyWithin: 11m is out of bounds: write a duration from 1s to 10m`,
		},
		"watched for too long": {
			"connections:", `    rotation: {healthyFor: 5m1s}` + "\nconnections:",
			`8: farms[0].rotation.healthyFor: 5m1s is out of bounds: write a duration from 100ms to 5m`,
		},
		"inspections too far apart": {
			"connections:", `    rotation: {inspectionInterval: 7d1s}` + "\nconnections:",
			`8: farms[0].rotation.inspectionInterval: 7d1s is out of bounds: write a duration from 1m to 7d`,
		},
	})
}

func TestLoad_Approval(t *testing.T) {
	for _, c := range []struct {
		name, rotation string
		want           bool
	}{
		{"an operator approves by default", `{}`, true},
		{"not when the file says none", `{approval: none}`, false},
		{"not when there is a window", `{window: "Sat 22:00-04:00 Europe/Zurich"}`, false},
		{"as well as a window when required", `{window: "Sat 22:00-04:00 Europe/Zurich", approval: required}`, true},
		{"as well as a window when required, in any order", `{approval: required, window: "Sat 22:00-04:00 Europe/Zurich"}`, true},
		{"not when there is a window and the file says none", `{approval: none, window: "Sat 22:00-04:00 Europe/Zurich"}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := requireRotation(t, c.rotation).Farms[0].Rotation.Approval; got != c.want {
				t.Errorf("%s: approval is %t, want %t", c.rotation, got, c.want)
			}
		})
	}
}

func TestLoad_RotationBounds(t *testing.T) {
	t.Run("the bounds themselves are allowed", func(t *testing.T) {
		got := requireRotation(t, `{window: Sat 23:50-00:16 UTC, decisionTimeout: 1m, approvalTimeout: 1h, keepOldFor: 24h, inspectionInterval: 7d, watchInterval: 1d, healthyWithin: 10m, healthyFor: 5m}`).Farms[0].Rotation
		want := farm.RotationPolicy{
			Mode:   farm.ModeRotate,
			AtOnce: 10, RestartAtOnce: 1, OnFailure: farm.OnFailurePause,
			Window:          farm.Window{Days: []time.Weekday{time.Saturday}, From: 23*time.Hour + 50*time.Minute, To: 16 * time.Minute, Zone: "UTC"},
			DecisionTimeout: time.Minute, ApprovalTimeout: time.Hour, KeepOldFor: 24 * time.Hour, InspectionInterval: 168 * time.Hour, WatchInterval: 24 * time.Hour, HealthyWithin: 10 * time.Minute, HealthyFor: 5 * time.Minute,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("policy (-want +got):\n%s", diff)
		}
	})
}

func TestLoad_WindowFitsCutover(t *testing.T) {
	withBatches := func(size int) string {
		rotation := fmt.Sprintf("    rotation: {restartAtOnce: %d, window: daily 01:00-01:30 UTC}\nconnections:", size)
		return strings.NewReplacer("[oos-01]", "[oos-01, oos-02, oos-03, oos-04, oos-05]", "connections:", rotation).Replace(minimalConfig)
	}
	t.Run("five servers, restarted two at a time, fit", func(t *testing.T) {
		if _, err := config.Load(writeConfig(t, withBatches(2))); err != nil {
			t.Error(err)
		}
	})
	t.Run("five servers, restarted one at a time, do not", func(t *testing.T) {
		want := "8: farms[0].rotation.window: is open for 30m, but the cutover of this farm takes about 34m: make it at least that long"
		if diff := cmp.Diff(want, requireProblems(t, withBatches(1))); diff != "" {
			t.Errorf("problems (-want +got):\n%s", diff)
		}
	})
}

func TestLoad_NoRetention(t *testing.T) {
	for _, zero := range []string{"0", "0d", "0s", "'0'"} {
		t.Run(zero+" is allowed with a warning", func(t *testing.T) {
			c := requireRotation(t, "{keepOldFor: "+zero+"}")
			if got := c.Farms[0].Rotation.KeepOldFor; got != 0 {
				t.Errorf("keepOldFor is %v, want 0", got)
			}
			want := []string{
				"8: farms[0].rotation.keepOldFor: the previous certificate is not kept, although SharePoint servers may take 24 hours to recognize the new one: keep it for 24h or longer",
			}
			if diff := cmp.Diff(want, describeProblems(c.Path, c.Warnings)); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

// requireRotation loads minimalConfig with a rotation section.
func requireRotation(t *testing.T, rotation string) *config.Config {
	t.Helper()
	return requireLoad(t, writeConfig(t, strings.Replace(minimalConfig, "connections:", "    rotation: "+rotation+"\nconnections:", 1)))
}
