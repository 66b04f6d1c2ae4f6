// Package logging writes the log of farmtrust's programs: one line for each thing
// that happens, as text for a person or as JSON for a program.
//
// It is the border that texts of servers, events and operators pass on their way
// into a log: no line has control characters or breaks, no matter who logged it. A stack
// trace is part of an entry only after a panic.
package logging

import (
	"fmt"
	"io"
	"os"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/term"
)

// Format is how entries are written. It implements flag.Value.
type Format string

const (
	// Text has a line for a person: when, the farm, the server, what happened.
	Text Format = "text"
	// JSON has an object on each line, with the keys time, level and msg first and the
	// others in the order of the alphabet. Durations are in milliseconds, under names
	// that end in Ms.
	JSON Format = "json"
)

// DefaultFormat is [Text] on a terminal and [JSON] elsewhere.
func DefaultFormat(w io.Writer) Format {
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return Text
	}
	return JSON
}

// String implements flag.Value.
func (f *Format) String() string { return string(*f) }

// Set implements flag.Value.
func (f *Format) Set(s string) error {
	switch parsed := Format(s); parsed {
	case Text, JSON:
		*f = parsed
		return nil
	}
	return fmt.Errorf("a log is %s or %s", Text, JSON)
}

// New returns a log that writes entries of a level and above to w.
func New(w io.Writer, f Format, level zapcore.LevelEnabler) *zap.Logger {
	return zap.New(NewCore(w, f, level))
}

// NewCore returns what [New] makes a log of, to be combined with another.
func NewCore(w io.Writer, f Format, level zapcore.LevelEnabler) zapcore.Core {
	layOut := layOutJSON
	if f == Text {
		layOut = layOutText
	}
	return zapcore.NewCore(&encoder{zapcore.NewMapObjectEncoder(), layOut}, zapcore.Lock(zapcore.AddSync(w)), level)
}
