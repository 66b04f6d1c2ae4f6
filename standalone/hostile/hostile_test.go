package hostile

import "testing"

// TestHostile builds the farms once: that takes longer than most attacks.
func TestHostile(t *testing.T) {
	w := newWorld(t)
	w.startAttacker(t)
	t.Cleanup(func() { w.terminateAll(t) })
	t.Run("running", func(t *testing.T) { testRunning(t, w) })
	t.Run("cost", func(t *testing.T) { testCost(t, w) })
	t.Run("activities", func(t *testing.T) { testActivities(t, w) })
	t.Run("messages", func(t *testing.T) { testMessages(t, w) })
	t.Run("continued", func(t *testing.T) { testContinued(t, w) })
	t.Run("rogue", func(t *testing.T) { testRogue(t, w) })
	t.Run("workflows", func(t *testing.T) { testWorkflows(t, w) })
}
