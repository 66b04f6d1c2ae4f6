package main

import (
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestConsent_IsAskedOfTheController(t *testing.T) {
	for command, want := range map[string]struct{ request, said string }{
		"release":  {`contoso {"kind":"release","by":"ada","reason":"change 4711"}`, "contoso: released: it is inspected now, and rotated if that is due"},
		"observe":  {`contoso {"kind":"observe","by":"ada","reason":"change 4711"}`, "contoso: not released any more: farmtrust only looks"},
		"withdraw": {`contoso {"kind":"withdraw","by":"ada","reason":"change 4711"}`, "contoso: the request is withdrawn: nothing was begun"},
	} {
		t.Run(command, func(t *testing.T) {
			f := startTemporal(t, &fakeTemporal{})
			f.acceptRequests(nil)
			f.addController(controller.State{Farm: "contoso"})
			runProgram(t, command, "contoso").assertExit(t, exitUsage, "--reason WHY")
			runProgram(t, command, "contoso", "--reason", "change 4711", "--by", "ada").assertExit(t, exitOK, "out:"+want.said)
			assertEqual(t, f.requests, []string{want.request})
		})
	}
	t.Run("what is refused says why", func(t *testing.T) {
		f := startTemporal(t, &fakeTemporal{})
		f.addController(controller.State{Farm: "contoso"})
		f.refuseRequests("contoso has been released since 2026-01-05 06:00 UTC, by ada")
		runProgram(t, "release", "contoso", "--reason", "r").assertExit(t, exitFailed, "contoso: refused: release: contoso has been released since 2026-01-05 06:00 UTC, by ada")
	})
}

func TestPostpone(t *testing.T) {
	t.Run("a farm on which nothing runs", func(t *testing.T) {
		f := startTemporal(t, &fakeTemporal{})
		f.acceptRequests(nil)
		f.addController(controller.State{Farm: "contoso"})
		runProgram(t, "postpone", "contoso", "--until", "2099-12-05 22:00", "--reason", "freeze", "--by", "ada").assertExit(t, exitOK, "out:contoso: postponed until 2099-12-05 22:00 UTC")
		assertEqual(t, f.requests, []string{`contoso {"kind":"postpone","until":"2099-12-05T22:00:00Z","by":"ada","reason":"freeze"}`})
	})
	t.Run("the rotation that waits", func(t *testing.T) {
		f := startTemporal(t, &fakeTemporal{})
		f.addRotation("contoso")
		runProgram(t, "postpone", "contoso", "--until", "2099-12-05T22:00:00+01:00", "--reason", "freeze", "--by", "ada").assertExit(t, exitOK, "out:contoso: postponed until 2099-12-05 21:00 UTC")
		assertEqual(t, f.requests, nil)
		if len(f.decisions) != 1 || !strings.HasPrefix(f.decisions[0], "rotate/contoso {Choice:postpone Until:2099-12-05 21:00 UTC ") {
			t.Errorf("decisions %v", f.decisions)
		}
	})
	t.Run("a time is needed, and one to come", func(t *testing.T) {
		runProgram(t, "postpone", "contoso", "--reason", "r").assertExit(t, exitUsage, `--until "" is not a time: write 18h, 2d`)
		runProgram(t, "postpone", "contoso", "--until", "tonight", "--reason", "r").assertExit(t, exitUsage, `--until "tonight" is not a time`)
		runProgram(t, "postpone", "contoso", "--until", "2020-01-01 00:00", "--reason", "r").assertExit(t, exitUsage, "is over")
	})
}

func TestParseUntil(t *testing.T) {
	now := time.Date(2026, 12, 4, 4, 30, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"18h": "2026-12-04 22:30 UTC", "90m": "2026-12-04 06:00 UTC", "2d": "2026-12-06 04:30 UTC",
		"2026-12-05 22:00": "2026-12-05 22:00 UTC", "2026-12-05 22:00 UTC": "2026-12-05 22:00 UTC", "2026-12-05T22:00:00+01:00": "2026-12-05 21:00 UTC",
	} {
		if got, err := parseUntil(text, now); err != nil || farm.FormatTime(got) != want {
			t.Errorf("%s is %s (%v), want %s", text, farm.FormatTime(got), err, want)
		}
	}
	for _, text := range []string{"d", "1.5d", "-2h", "0d", "22:00", "2026-12-05", "2026-12-05 22:00 CET"} {
		if got, err := parseUntil(text, now); err == nil {
			t.Errorf("%s is %s", text, got)
		}
	}
}

func TestCancel(t *testing.T) {
	t.Run("what runs", func(t *testing.T) {
		f := startTemporal(t, &fakeTemporal{})
		f.addController(controller.State{Farm: "contoso"})
		f.addRotation("contoso")
		runProgram(t, "cancel", "contoso", "--reason", "users call", "--by", "ada").assertExit(t, exitOK,
			"out:contoso: cancelled: rotate/contoso stops, puts back what it has changed, and the farm is suspended")
		if len(f.decisions) != 1 || !strings.HasPrefix(f.decisions[0], "rotate/contoso {Choice:cancel ") {
			t.Errorf("decisions %v", f.decisions)
		}
	})
	t.Run("what was asked for and has not begun", func(t *testing.T) {
		f := startTemporal(t, &fakeTemporal{})
		f.acceptRequests(nil)
		f.addController(controller.State{Farm: "contoso", Mailbox: controller.Mailbox{Request: &controller.Request{Kind: controller.RequestRotate}}})
		runProgram(t, "cancel", "contoso", "--reason", "r", "--by", "ada").assertExit(t, exitOK, "out:contoso: the request is withdrawn: nothing was begun")
		assertEqual(t, f.requests, []string{`contoso {"kind":"withdraw","by":"ada","reason":"r"}`})
	})
	t.Run("nothing", func(t *testing.T) {
		f := startTemporal(t, &fakeTemporal{})
		f.addController(controller.State{Farm: "contoso"})
		runProgram(t, "cancel", "contoso", "--reason", "r").assertExit(t, exitFailed, "contoso: refused: cancel: nothing runs, and no request waits")
	})
}
