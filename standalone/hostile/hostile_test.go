package hostile

import "testing"

// TestHostile builds the farms once: that takes longer than all attacks.
func TestHostile(t *testing.T) {
	w := newWorld(t)
	w.startAttacker(t)
	t.Run("activities", func(t *testing.T) { testActivities(t, w) })
}
