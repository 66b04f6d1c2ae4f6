package workflows_test

import (
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// taskVersion is what tells that the scheduled task is of another version.
const taskVersion = powershell.TaskVersion

// installOldTask installs another version of the scheduled task.
func (f *testFarm) installOldTask(t *testing.T) {
	t.Helper()
	old := strings.Replace(powershell.TaskScript(), "FullControl", "Write", 1)
	if err := f.sim.InstallSharePointTask(frontEnd, old); err != nil {
		t.Fatal(err)
	}
}

// assertFrontEndRefuses asserts that a rotation and an inspection say what the
// front end lacks, and how to remedy it, before anything is changed.
func (f *testFarm) assertFrontEndRefuses(t *testing.T, want string) {
	t.Helper()
	explained := []string{"sp-01", want, "docs/second-hop.md"}
	before := f.sim.Trust()
	f.rotate(t).requireOutcome(farm.Refused).assertStatement(explained...)
	f.assertTrustUnchanged(t, before)

	for _, s := range f.inspect(t).Servers {
		switch {
		case s.Host == frontEnd:
			assertMentions(t, s.Problem, explained...)
		case s.Problem != "":
			t.Errorf("the inspection reports a problem on %s too: %s", s.Host, s.Problem)
		}
	}
}
