package pull_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/delivery"
	"github.com/farmtrust/farmtrust/internal/event"
)

func directorySource(folder string) config.Pull {
	return source(config.Pull{Directory: &config.EventDirectory{Path: folder}})
}

func assertFiles(t *testing.T, folder string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, filesIn(t, folder)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// pass lets time pass on synctest's clock: nothing is waited for.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestDirectory_EventsAreTakenOnce(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &farms{}
		writeFile(t, filepath.Join(folder, "one.json"), cloudEvent("1"))
		writeFile(t, filepath.Join(folder, "batch.json"), "["+cloudEvent("2")+","+cloudEvent("3")+"]")
		stop, _ := startPull(t, directorySource(folder), f)
		pass(time.Minute)
		f.assertEvents(t, "1", "2", "3")
		if diff := cmp.Diff(delivery.Source{Name: "ca", Farms: []string{"contoso"}}, f.from["1"]); diff != "" {
			t.Errorf("source (-want +got):\n%s", diff)
		}
		assertFiles(t, folder, "done/batch.json", "done/one.json")

		writeFile(t, filepath.Join(folder, "one.json"), cloudEvent("4"))
		pass(time.Minute)
		stop()
		f.assertEvents(t, "1", "2", "3", "4")
		if got := filesIn(t, folder); len(got) != 3 || !strings.HasSuffix(got[0], "Z-one.json") {
			t.Errorf("a second file of the same name: got %q", got)
		}
	})
}

func TestDirectory_AFileIsReadWhenItIsWhole(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f, name := &farms{}, filepath.Join(folder, "slow.json")
		startPull(t, directorySource(folder), f)
		half := cloudEvent("1")[:60]
		for i := range 20 { // somebody who writes for longer than two looks are apart
			writeFile(t, name, half[:40+i])
			pass(time.Second)
		}
		for _, draft := range []string{".1.json", "1.json.tmp", "1.json.part", "1.json~"} {
			writeFile(t, filepath.Join(folder, draft), half)
		}
		writeFile(t, name, cloudEvent("1"))
		pass(time.Minute)
		f.assertEvents(t, "1")
		assertFiles(t, folder, ".1.json", "1.json.part", "1.json.tmp", "1.json~", "done/slow.json")
	})
}

func TestDirectory_WhatIsNotUnderstoodIsMovedAsideWithTheReason(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &farms{}
		writeFile(t, filepath.Join(folder, "1.json"), "{")
		writeFile(t, filepath.Join(folder, "2.json"), strings.Repeat(" ", event.MaxBody+1))
		writeFile(t, filepath.Join(folder, "3.json"), cloudEvent("3"))
		_, logs := startPull(t, directorySource(folder), f)
		pass(time.Minute)
		f.assertEvents(t, "3")
		assertFiles(t, folder, "done/3.json", "refused/1.json", "refused/1.json.reason.txt", "refused/2.json", "refused/2.json.reason.txt")
		reason, err := os.ReadFile(filepath.Join(folder, "refused/2.json.reason.txt"))
		if err != nil || !strings.Contains(string(reason), "send fewer events at once") {
			t.Errorf("reason: %s, %v", reason, err)
		}
		assertLogged(t, logs, "moved to refused/1.json")

		// Mended and moved back, it is read again.
		writeFile(t, filepath.Join(folder, "1.json"), cloudEvent("1"))
		pass(time.Minute)
		f.assertEvents(t, "1", "3")
	})
}

func TestDirectory_EventsWaitWhileTemporalIsAway(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &farms{away: errAway}
		writeFile(t, filepath.Join(folder, "1.json"), cloudEvent("1"))
		stop, logs := startPull(t, directorySource(folder), f)
		pass(24 * time.Hour)
		assertFiles(t, folder, "1.json")
		assertLogged(t, logs, "cannot deliver an event, which waits in its queue", errAway.Error())
		if got := f.failed(); got < 24*60 || got > 24*60+10 {
			t.Errorf("%d attempts within a day, want one a minute", got)
		}
		stop() // the program is updated meanwhile
		assertFiles(t, folder, "1.json")

		startPull(t, directorySource(folder), f)
		pass(time.Minute)
		f.goAway(nil)
		pass(2 * time.Minute)
		f.assertEvents(t, "1")
		assertFiles(t, folder, "done/1.json")
	})
}

func TestDirectory_AFarmThatWasSentTooMuchIsSparedForAsLongAsItAsks(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &farms{away: &delivery.BusyError{Farm: "contoso", After: 10 * time.Minute}}
		writeFile(t, filepath.Join(folder, "1.json"), cloudEvent("1"))
		startPull(t, directorySource(folder), f)
		pass(time.Hour + time.Minute)
		if got := f.failed(); got != 7 {
			t.Errorf("%d attempts within an hour, want 7", got)
		}
	})
}

func TestDirectory_NothingOutsideIsRead(t *testing.T) {
	folder, outside := t.TempDir(), filepath.Join(t.TempDir(), "event.json")
	writeFile(t, outside, cloudEvent("1"))
	if err := os.Symlink(outside, filepath.Join(folder, "link.json")); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	synctest.Test(t, func(t *testing.T) {
		f := &farms{}
		startPull(t, directorySource(folder), f)
		pass(time.Minute)
		f.assertEvents(t)
		assertFiles(t, folder, "link.json")
		if _, err := os.Stat(outside); err != nil {
			t.Error(err)
		}
	})
}

func TestDirectory_OneThatIsMissingIsWaitedFor(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "events")
	synctest.Test(t, func(t *testing.T) {
		f := &farms{}
		_, logs := startPull(t, directorySource(folder), f)
		pass(time.Minute)
		assertLogged(t, logs, "make the folder, and let farmtrust read and write it")
		if err := os.Mkdir(folder, 0o750); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(folder, "1.json"), cloudEvent("1"))
		pass(2 * time.Minute)
		f.assertEvents(t, "1")
	})
}

func TestDirectory_TwoProcessesMayTakeFromOne(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &farms{}
		startPull(t, directorySource(folder), f)
		startPull(t, directorySource(folder), f)
		for _, id := range []string{"1", "2", "3"} {
			writeFile(t, filepath.Join(folder, id+".json"), cloudEvent(id))
		}
		pass(time.Minute)
		assertFiles(t, folder, "done/1.json", "done/2.json", "done/3.json")
		seen := map[string]bool{}
		for _, id := range f.events() {
			seen[id] = true
		}
		if len(seen) != 3 {
			t.Errorf("stored: %v", f.events())
		}
	})
}
