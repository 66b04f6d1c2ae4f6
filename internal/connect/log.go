package connect

import (
	"go.temporal.io/sdk/log"
	"go.uber.org/zap"
)

// Logger lets the Temporal SDK log through zap.
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
func (l *Logger) Debug(msg string, keyvals ...any) { l.sugar.Debugw(msg, keyvals...) }

// Info logs the ordinary course of events.
func (l *Logger) Info(msg string, keyvals ...any) { l.sugar.Infow(msg, keyvals...) }

// Warn logs what may need attention.
func (l *Logger) Warn(msg string, keyvals ...any) { l.sugar.Warnw(msg, keyvals...) }

// Error logs what went wrong.
func (l *Logger) Error(msg string, keyvals ...any) { l.sugar.Errorw(msg, keyvals...) }

// With returns a logger that adds keyvals to each entry.
func (l *Logger) With(keyvals ...any) log.Logger {
	return &Logger{l.sugar.With(keyvals...)}
}

// WithCallerSkip returns a logger that names the caller depth frames further up.
func (l *Logger) WithCallerSkip(depth int) log.Logger {
	return &Logger{l.sugar.WithOptions(zap.AddCallerSkip(depth))}
}
