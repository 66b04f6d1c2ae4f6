package connect_test

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/log"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/farmtrust/farmtrust/internal/connect"
)

// logEntry is the part of an entry that tests compare.
type logEntry struct {
	Level, Message, File string
	Fields               map[string]any
}

func observeLogger() (*connect.Logger, func() []logEntry) {
	core, logs := observer.New(zapcore.DebugLevel)
	return connect.NewLogger(zap.New(core, zap.AddCaller())), func() []logEntry {
		var all []logEntry
		for _, e := range logs.TakeAll() {
			all = append(all, logEntry{e.Level.String(), e.Message, filepath.Base(e.Caller.File), e.ContextMap()})
		}
		return all
	}
}

func TestLogger(t *testing.T) {
	t.Run("each level keeps its fields and names its caller", func(t *testing.T) {
		l, entries := observeLogger()
		l.Debug("d", "n", 1)
		l.Info("i", "n", 2)
		l.Warn("w", "n", 3)
		l.Error("e", "n", 4)
		want := []logEntry{
			{"debug", "d", "log_test.go", map[string]any{"n": int64(1)}},
			{"info", "i", "log_test.go", map[string]any{"n": int64(2)}},
			{"warn", "w", "log_test.go", map[string]any{"n": int64(3)}},
			{"error", "e", "log_test.go", map[string]any{"n": int64(4)}},
		}
		if diff := cmp.Diff(want, entries()); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("With adds fields to the child only", func(t *testing.T) {
		parent, entries := observeLogger()
		child := log.With(parent, "farm", "contoso")
		grandchild := log.With(child, "server", "oos-01")
		parent.Info("parent")
		child.Info("child")
		grandchild.Info("grandchild", "step", "import")
		want := []logEntry{
			{"info", "parent", "log_test.go", map[string]any{}},
			{"info", "child", "log_test.go", map[string]any{"farm": "contoso"}},
			{"info", "grandchild", "log_test.go", map[string]any{"farm": "contoso", "server": "oos-01", "step": "import"}},
		}
		if diff := cmp.Diff(want, entries()); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("skipping a frame names the caller's caller", func(t *testing.T) {
		l, entries := observeLogger()
		t.Run("inner", func(*testing.T) { logThroughHelper(log.Skip(l, 2)) })
		if got := entries(); len(got) != 1 || got[0].File != "testing.go" {
			t.Errorf("got %+v, want the frame that called the test function", got)
		}
	})
}

// logThroughHelper is a helper between the caller and the log.
func logThroughHelper(l log.Logger) { l.Info("said") }
