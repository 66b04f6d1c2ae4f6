package console

import (
	"fmt"
	"os"
)

// Color says when texts are set off by colour. It implements flag.Value, and pflag's.
type Color string

const (
	// ColorAuto colours on a terminal, unless the environment has NO_COLOR or
	// TERM=dumb.
	//
	// Source: https://no-color.org.
	ColorAuto Color = "auto"
	// ColorAlways colours everywhere.
	ColorAlways Color = "always"
	// ColorNever colours nowhere.
	ColorNever Color = "never"
)

// String implements flag.Value.
func (c *Color) String() string { return string(*c) }

// Set implements flag.Value.
func (c *Color) Set(s string) error {
	switch parsed := Color(s); parsed {
	case ColorAuto, ColorAlways, ColorNever:
		*c = parsed
		return nil
	}
	return fmt.Errorf("it is %s, %s or %s", ColorAuto, ColorAlways, ColorNever)
}

// Type implements pflag.Value.
func (c *Color) Type() string { return "when" }

// isOn reports whether texts on a terminal, or elsewhere, are set off.
func (c Color) isOn(t terminal) bool {
	switch c {
	case ColorAlways:
		return true
	case ColorNever:
		return false
	}
	return t.paints && os.Getenv("NO_COLOR") == ""
}

// paintAlert makes a text bold and red, paintGood green.
//
// Source: ECMA-48, Select Graphic Rendition.
func paintAlert(text string) string { return "\x1b[1;31m" + text + resetColor }

func paintGood(text string) string { return "\x1b[32m" + text + resetColor }

const resetColor = "\x1b[0m"
