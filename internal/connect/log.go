package connect

import (
	"go.temporal.io/sdk/log"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Logger lets the Temporal SDK, and workflows and activities with it, log through
// zap: with farmtrust's names for what the SDK adds to each entry, and without what
// farmtrust says itself.
type Logger struct {
	sugar *zap.SugaredLogger
}

var (
	_ log.Logger          = (*Logger)(nil)
	_ log.WithLogger      = (*Logger)(nil)
	_ log.WithSkipCallers = (*Logger)(nil)
)

// NewLogger adapts l. Entries name the caller of the adapter.
func NewLogger(l *zap.Logger) *Logger {
	return &Logger{l.WithOptions(zap.AddCallerSkip(1)).Sugar()}
}

// Debug logs for developers.
func (l *Logger) Debug(msg string, keyvals ...any) { l.sugar.Debugw(msg, rename(keyvals)...) }

// Info logs the ordinary course of events.
func (l *Logger) Info(msg string, keyvals ...any) { l.log(zapcore.InfoLevel, msg, keyvals) }

// Warn logs what may need attention.
func (l *Logger) Warn(msg string, keyvals ...any) { l.log(zapcore.WarnLevel, msg, keyvals) }

// Error logs what went wrong.
func (l *Logger) Error(msg string, keyvals ...any) { l.log(zapcore.ErrorLevel, msg, keyvals) }

// log leaves what is told elsewhere to developers.
func (l *Logger) log(level zapcore.Level, msg string, keyvals []any) {
	if toldElsewhere[msg] {
		level = zapcore.DebugLevel
	}
	l.sugar.WithOptions(zap.AddCallerSkip(1)).Logw(level, msg, rename(keyvals)...)
}

// toldElsewhere are entries of the SDK about what farmtrust's own tell in an
// operator's words: that a worker has started, and that an activity has failed.
//
// Source: go.temporal.io/sdk, internal/internal_worker.go and
// internal_task_handlers.go.
var toldElsewhere = map[string]bool{"Started Worker": true, "Stopped Worker": true, "Activity error.": true}

// names are farmtrust's for the SDK's; what has none is the same in all entries of a
// worker, or said by another.
//
// Source: go.temporal.io/sdk, internal/internal_logging_tags.go.
var names = map[string]string{
	"WorkflowID": "run", "RunID": "runId", "ActivityType": "activity", "Attempt": "attempt", "Error": "error",
	"PanicError": "error", "PanicStack": "stack", "StackTrace": "stack",
	"Namespace": "", "TaskQueue": "", "WorkerID": "", "WorkflowType": "", "ActivityID": "", "ActivityRunID": "", "UpdateID": "", "UpdateName": "",
}

// rename puts farmtrust's names into keys and values.
func rename(keyvals []any) []any {
	var renamed []any
	for i := 0; i+1 < len(keyvals); i += 2 {
		key, ok := keyvals[i].(string)
		name, known := names[key]
		switch {
		case !ok || !known:
			renamed = append(renamed, keyvals[i], keyvals[i+1])
		case name != "":
			renamed = append(renamed, name, keyvals[i+1])
		}
	}
	return renamed
}

// With returns a logger that adds keyvals to each entry.
func (l *Logger) With(keyvals ...any) log.Logger {
	return &Logger{l.sugar.With(rename(keyvals)...)}
}

// WithCallerSkip returns a logger that names the caller depth frames further up.
func (l *Logger) WithCallerSkip(depth int) log.Logger {
	return &Logger{l.sugar.WithOptions(zap.AddCallerSkip(depth))}
}
