package logging_test

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/logging"
)

// code is a text by its type, as a thumbprint is.
type code string

// logOne logs one entry and returns its line without its time.
func logOne(t *testing.T, f logging.Format, log func(*zap.Logger)) string {
	t.Helper()
	var out strings.Builder
	log(logging.New(&out, f, zap.InfoLevel))
	moment := regexp.MustCompile(`^(\{"time":")?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.0-9]*Z( |",)`)
	if !moment.MatchString(out.String()) {
		t.Errorf("it does not begin with a time in RFC 3339: %q", out.String())
	}
	return moment.ReplaceAllString(out.String(), "")
}

func TestNew(t *testing.T) {
	for name, c := range map[string]struct {
		log        func(*zap.Logger)
		text, json string
	}{
		"what changed on a server": {
			func(l *zap.Logger) {
				l.With(zap.String("farm", "contoso")).Info("import certificate: changed", zap.String("server", "oos-03"),
					zap.String("event", "step"), zap.String("step", "import certificate"), zap.Duration("took", 1240*time.Millisecond))
			},
			"contoso oos-03 import certificate: changed (1.2s)\n",
			`"level":"info","msg":"import certificate: changed","event":"step","farm":"contoso","server":"oos-03","step":"import certificate","tookMs":1240}` + "\n",
		},
		"what else is known follows": {
			func(l *zap.Logger) {
				l.Sugar().Warnw("it is slow", "code", code("A B"), "n", 3, "in", time.Minute, "at", time.Unix(0, 0), "error", errors.New("no route"), "nothing", nil, "names", []string{"a", "b"})
			},
			`WARN it is slow at=1970-01-01T00:00:00Z code="A B" error="no route" in=1m n=3 names="[a b]" nothing=<nil>` + "\n",
			`"level":"warn","msg":"it is slow","at":"1970-01-01T00:00:00Z","code":"A B","error":"no route","inMs":60000,"n":3,"names":"[a b]","nothing":"\u003cnil\u003e"}` + "\n",
		},
		"an error has no stack trace": {
			func(l *zap.Logger) { l.Error("it fails", zap.Error(errors.New("disk full"))) },
			"ERROR it fails error=\"disk full\"\n",
			`"level":"error","msg":"it fails","error":"disk full"}` + "\n",
		},
		"the level below is not logged by a child either": {
			func(l *zap.Logger) {
				l.With(zap.Int("n", 1)).Debug("not this")
				l.Info("this")
			},
			"this\n",
			`"level":"info","msg":"this"}` + "\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := []string{logOne(t, logging.Text, c.log), logOne(t, logging.JSON, c.log)}
			if diff := cmp.Diff([]string{c.text, c.json}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestNew_NothingControlsATerminal logs what a hostile server may say, wherever it can
// get into an entry.
func TestNew_NothingControlsATerminal(t *testing.T) {
	const evil = "a\nb\x1b[2J\r\x9b31m\u202egpj.exe\u2028\xffz"
	for _, f := range []logging.Format{logging.Text, logging.JSON} {
		line := logOne(t, f, func(l *zap.Logger) {
			l.Sugar().With(evil, evil).Infow(evil, "server", evil, "error", errors.New(evil), "code", code(evil), "list", []string{evil})
		})
		if strings.Count(line, "\n") != 1 || strings.ContainsAny(line, "\x1b\r\u009b\u202e\u2028\ufffd") {
			t.Errorf("%s: %q", f, line)
		}
		if f == logging.JSON && strings.Contains(line, `\u00`) {
			t.Errorf("control characters are hidden in escapes: %s", line)
		}
	}
}

func TestFormat(t *testing.T) {
	var f logging.Format
	if err := f.Set("json"); err != nil || f != logging.JSON || f.String() != "json" {
		t.Errorf("got %q, %v", f, err)
	}
	if err := f.Set("yaml"); err == nil || f != logging.JSON {
		t.Errorf("got %q, %v", f, err)
	}
	if got := logging.DefaultFormat(&strings.Builder{}); got != logging.JSON {
		t.Errorf("elsewhere than on a terminal it is %q", got)
	}
}

func TestNew_LinesAreObjects(t *testing.T) {
	var out strings.Builder
	l := logging.New(&out, logging.JSON, zap.InfoLevel)
	l.Info("a", zap.Float64("ratio", 0.5), zap.Bool("ok", true), zap.Any("map", map[string]int{"x": 1}))
	l.Info("b")
	for line := range strings.Lines(out.String()) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Errorf("%v: %s", err, line)
		}
	}
}
