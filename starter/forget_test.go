package main

import (
	"testing"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestForget(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{})
	f.acceptRequests(&verified)
	f.addController(controller.State{Farm: "contoso", Unmanaged: "decommissioned"})
	got := runProgram(t, "-o", "json", "forget", "contoso", "--by", "ada", "--reason", "change 4711")
	got.assertExit(t, exitOK)
	var shown acceptance
	got.readJSON(t, &shown)
	assertEqual(t, shown, acceptance{Farm: "contoso", WorkflowID: "farm/contoso"})
	assertEqual(t, f.requests, []string{`contoso {"kind":"forget","by":"ada","reason":"change 4711"}`})
}

func TestForget_Refused(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(*fakeTemporal)
		args    []string
		code    int
		want    string
	}{
		"a worker has the farm": {
			prepare: func(f *fakeTemporal) {
				f.addController(controller.State{Farm: "contoso"})
				f.refuseRequests("a worker has contoso in its configuration: remove it there and restart the worker first")
			},
			args: []string{"--reason", "gone"}, code: exitFailed, want: "refused: forget: a worker has contoso in its configuration: remove it there",
		},
		"no controller runs": {
			prepare: func(*fakeTemporal) {}, args: []string{"--reason", "gone"}, code: exitFailed, want: "there is nothing to forget",
		},
		"no worker runs": {
			prepare: func(f *fakeTemporal) { f.noWorker = true; f.addController(controller.State{Farm: "contoso"}) }, args: []string{"--reason", "gone"}, code: exitCannotTell, want: "no worker answers on task queue farmtrust",
		},
		"no reason": {prepare: func(*fakeTemporal) {}, code: exitUsage, want: "--reason WHY"},
	} {
		t.Run(name, func(t *testing.T) {
			f := startTemporal(t, &fakeTemporal{})
			c.prepare(f)
			runs := len(f.startedRuns(t))
			runProgram(t, append([]string{"forget", "contoso"}, c.args...)...).assertExit(t, c.code, c.want)
			assertEqual(t, len(f.startedRuns(t)), runs)
		})
	}
}

func TestSite(t *testing.T) {
	t.Run("a controller that does not run is started at the site that is given", func(t *testing.T) {
		f := startTemporal(t, &fakeTemporal{site: "berlin"})
		f.acceptRequests(&verified)
		runProgram(t, "rotate", "contoso", "--site", "berlin").assertExit(t, exitOK)
		assertEqual(t, f.startedRuns(t)[0].Queue, "farmtrust/berlin")
	})
	t.Run("the environment gives it", func(t *testing.T) {
		f := startTemporal(t, &fakeTemporal{site: "berlin"})
		t.Setenv(siteVariable, "berlin")
		runProgram(t, "event", "--detach", writeFile(t, "event.json", named)).assertExit(t, exitOK)
		assertEqual(t, f.startedRuns(t)[0].Queue, "farmtrust/berlin")
	})
	t.Run("a farm whose controller runs is asked at that one's", func(t *testing.T) {
		f := startTemporal(t, &fakeTemporal{site: "berlin", onStart: func(string) ending { return ending{result: farm.Inspection{Farm: "contoso"}} }})
		f.addController(controller.State{Farm: "contoso"})
		runProgram(t, "plan", "contoso", "--site", "paris").assertExit(t, exitOK)
		assertEqual(t, f.startedRuns(t)[1].Queue, "farmtrust/berlin")
	})
	t.Run("no worker runs there", func(t *testing.T) {
		startTemporal(t, &fakeTemporal{})
		runProgram(t, "rotate", "contoso", "--site", "berlin").assertExit(t, exitCannotTell,
			"no worker answers on task queue farmtrust/berlin; start one with site: berlin: farmtrust-worker -config FILE")
	})
	t.Run("a name that no site can have", func(t *testing.T) {
		runProgram(t, "rotate", "contoso", "--site", "a/b").assertExit(t, exitUsage, `unknown site "a/b"`)
	})
}
