package audit_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/audit"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/keyring"
)

// testLog is a log in a folder of its own, and the keys that its workers have.
type testLog struct {
	*testing.T

	path string
	keys *keyring.Ring
}

func newTestLog(t *testing.T) testLog {
	t.Helper()
	return testLog{t, filepath.Join(t.TempDir(), "audit.jsonl"), keyring.Generated()}
}

// open starts a worker that writes to the log.
func (l testLog) open(change ...func(*audit.Options)) (*audit.Log, error) {
	o := audit.Options{
		Path: l.path, Keys: l.keys, Worker: "worker-1, process 7", Build: "v1.2.3", Log: zap.NewNop(),
		Now: func() time.Time { return time.Date(2026, 11, 29, 6, 0, 0, 0, time.UTC) },
	}
	for _, c := range change {
		c(&o)
	}
	return audit.Open(o)
}

func (l testLog) mustOpen(change ...func(*audit.Options)) *audit.Log {
	l.Helper()
	log, err := l.open(change...)
	if err != nil {
		l.Fatal(err)
	}
	return log
}

// write appends a line for each server, and returns the mark of the last one.
func (l testLog) write(log *audit.Log, servers ...string) audit.Mark {
	l.Helper()
	for _, server := range servers {
		r := audit.Record{
			Event: audit.End, Farm: "contoso", Workflow: "rotate/contoso", Run: "r1", Step: "TrustIssuer", Server: server, Attempt: 1,
			Outcome: audit.Changed, Detail: "was \x1b[2J, \"quoted\"\nand is new",
			Changes: []farm.Change{{Name: "certificate", Before: "AE38", After: "166A"}},
		}
		if err := log.Record(r); err != nil {
			l.Fatal(err)
		}
	}
	return log.Last()
}

func (l testLog) read() string {
	l.Helper()
	content, err := os.ReadFile(l.path)
	if err != nil {
		l.Fatal(err)
	}
	return string(content)
}

func (l testLog) replace(content string) {
	l.Helper()
	if err := os.WriteFile(l.path, []byte(content), 0o600); err != nil {
		l.Fatal(err)
	}
}

// files are all files of the log, in no order that matters.
func (l testLog) files() []string {
	l.Helper()
	files, err := filepath.Glob(filepath.Join(filepath.Dir(l.path), "audit*.jsonl"))
	if err != nil {
		l.Fatal(err)
	}
	return files
}

func (l testLog) verify(marks ...audit.Mark) audit.Verified {
	l.Helper()
	found, err := audit.Verify(l.files(), l.keys, marks)
	if err != nil {
		l.Fatal(err)
	}
	return found
}

// assertProblem checks that the first problem is at a line and says something.
func (l testLog) assertProblem(found audit.Verified, line int, text string) {
	l.Helper()
	if len(found.Problems) == 0 {
		l.Errorf("no problem was found; want one on line %d that says %q", line, text)
		return
	}
	if p := found.Problems[0]; p.Line != line || !strings.Contains(p.Text, text) {
		l.Errorf("found %s; want one on line %d that says %q", p, line, text)
	}
}

func (l testLog) assertSound(found audit.Verified, lines int) {
	l.Helper()
	if len(found.Problems) > 0 || found.Lines != lines || found.Unchecked > 0 {
		l.Errorf("found %+v; want %d sound lines", found, lines)
	}
}

func TestLog_ContinuesOverWorkersAndFiles(t *testing.T) {
	l := newTestLog(t)
	small := func(o *audit.Options) { o.MaxFile = 2000 }
	first := l.write(l.mustOpen(small), "oos-01", "oos-02", "oos-03", "oos-04")
	last := l.write(l.mustOpen(small), "oos-05", "oos-06")
	if files := l.files(); len(files) < 2 {
		t.Errorf("no file was put aside: %q", files)
	}
	found := l.verify(first, last)
	l.assertSound(found, 8)
	if diff := cmp.Diff(last, found.Last); diff != "" {
		t.Errorf("last line (-written +found):\n%s", diff)
	}
}

func TestLog_TwoProcessesShareAFile(t *testing.T) {
	l := newTestLog(t)
	var writers sync.WaitGroup
	for range 4 {
		log := l.mustOpen()
		writers.Go(func() {
			for i := range 10 {
				if err := log.Record(audit.Record{Event: audit.Begin, Step: fmt.Sprint(i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	l.assertSound(l.verify(), 44)
}

func TestLog_SurvivesACrashInTheMiddleOfALine(t *testing.T) {
	l := newTestLog(t)
	l.write(l.mustOpen(), "oos-01", "oos-02")
	content := l.read()
	l.replace(content[:len(content)-40])
	l.assertProblem(l.verify(), 3, "it may be of a crash")

	l.write(l.mustOpen(), "oos-03")
	if found := l.verify(); found.Torn != 1 || len(found.Problems) > 0 {
		t.Errorf("found %+v; want one line that was torn, and no problem", found)
	}
	t.Log("what stands there now is another text")
	l.replace(strings.Replace(l.read(), "oos-02", "oos-09", 1))
	l.assertProblem(l.verify(), 3, "not a line of an audit log")
}

// Each change that somebody without the keys could make is found, the end included if the
// mark of the last line is known from elsewhere.
func TestVerify_FindsWhatWasChanged(t *testing.T) {
	swap := func(lines []string) []string { lines[2], lines[3] = lines[3], lines[2]; return lines }
	for _, c := range []struct {
		name   string
		change func(lines []string) []string
		line   int
		says   string
	}{
		{"a word", func(lines []string) []string {
			lines[2] = strings.Replace(lines[2], "oos-02", "oos-03", 1)
			return lines
		}, 3, "altered"},
		{"a space", func(lines []string) []string {
			lines[2] = strings.Replace(lines[2], `"seq":3`, `"seq": 3`, 1)
			return lines
		}, 3, "altered"},
		{"a line is gone", func(lines []string) []string { return slices.Delete(lines, 2, 3) }, 3, "1 lines are missing before it: 3 to 3"},
		{"lines are swapped", swap, 3, "missing before it"},
		{"a line is there twice", func(lines []string) []string { return slices.Insert(lines, 3, lines[2]) }, 4, "after line 3"},
		{"the beginning is gone", func(lines []string) []string { return lines[2:] }, 1, "begin with line 3"},
		{"the end is gone", func(lines []string) []string { return lines[:3] }, 0, "the end was cut off"},
		{"all is gone", func([]string) []string { return nil }, 0, "no line"},
		{"a line of another kind", func(lines []string) []string { return slices.Insert(lines, 2, "{}") }, 3, "not a line"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newTestLog(t)
			last := l.write(l.mustOpen(), "oos-01", "oos-02", "oos-03", "oos-04")
			lines := strings.Split(strings.TrimSuffix(l.read(), "\n"), "\n")
			l.replace(strings.TrimPrefix(strings.Join(c.change(lines), "\n")+"\n", "\n"))
			l.assertProblem(l.verify(last), c.line, c.says)
		})
	}
}

func TestVerify_WhatWasWrittenWithoutTheKeysIsFound(t *testing.T) {
	l := newTestLog(t)
	last := l.write(l.mustOpen(), "oos-01")
	forged := newTestLog(t)
	forged.path = l.path + ".forged"
	forged.write(forged.mustOpen(), "oos-01")
	l.replace(forged.read())

	t.Log("its hashes are right: without the keys, only the mark gives it away")
	found, err := audit.Verify([]string{l.path}, nil, nil)
	if err != nil || len(found.Problems) > 0 || found.Unchecked != 2 {
		t.Errorf("found %+v (%v); want two sound lines that were not checked", found, err)
	}
	l.assertProblem(l.verify(), 2, "which is not in the ring")
	found, err = audit.Verify([]string{l.path}, nil, []audit.Mark{last})
	if err != nil {
		t.Fatal(err)
	}
	l.assertProblem(found, 0, "is not in the files")
}

func TestLog_RefusesToContinueWhatWasChanged(t *testing.T) {
	cut := func(l testLog) { l.replace(strings.Join(strings.SplitAfter(l.read(), "\n")[:2], "")) }
	for _, c := range []struct {
		name   string
		change func(testLog)
		// onceMore reports whether a worker that starts refuses it too.
		onceMore bool
		says     string
	}{
		{"cut off", cut, false, "is gone"},
		{"removed", func(l testLog) { l.replace("") }, false, "is gone"},
		{"altered", func(l testLog) { l.replace(strings.ReplaceAll(l.read(), "oos-02", "oos-03")) }, true, "altered"},
		{"of other keys", func(l testLog) {
			other := newTestLog(l.T)
			other.path = l.path
			l.replace("")
			other.write(other.mustOpen(), "oos-01")
		}, true, "was altered"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newTestLog(t)
			log := l.mustOpen()
			l.write(log, "oos-01", "oos-02")
			c.change(l)
			before := l.read()
			if err := log.Record(audit.Record{Event: audit.Begin}); !errors.Is(err, audit.ErrAltered) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("it goes on: %v; want an error that says %q", err, c.says)
			}
			if l.read() != before {
				t.Error("something was written all the same")
			}
			if _, err := l.open(); errors.Is(err, audit.ErrAltered) != c.onceMore {
				t.Errorf("a worker that starts says %v", err)
			}
		})
	}
}

func TestLog_AChangeIsRefusedWhereNothingCanBeWritten(t *testing.T) {
	l := newTestLog(t)
	l.path = filepath.Join(filepath.Dir(l.path), "missing", "audit.jsonl")
	if _, err := l.open(); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), l.path) {
		t.Errorf("it opens: %v", err)
	}
}

// mirror keeps what it gets, or fails.
type mirror struct {
	lines []string
	fails error
}

func (m *mirror) Write(line string) error { m.lines = append(m.lines, line); return m.fails }

func (*mirror) Close() error { return nil }

func TestLog_MirrorsGetEachLineAndHoldNothingUp(t *testing.T) {
	l := newTestLog(t)
	good, bad := &mirror{}, &mirror{fails: errors.New("nobody listens")}
	l.write(l.mustOpen(func(o *audit.Options) { o.Mirrors = []audit.Mirror{bad, good} }), "oos-01")
	if diff := cmp.Diff(strings.Split(strings.TrimSpace(l.read()), "\n"), good.lines); diff != "" {
		t.Errorf("lines (-file +mirror):\n%s", diff)
	}
}

func TestLog_ALineHasALimit(t *testing.T) {
	l := newTestLog(t)
	long := strings.Repeat("\x00\xff", 1<<20)
	r := audit.Record{Event: audit.End, Detail: long}
	for range 100 {
		r.Changes = append(r.Changes, farm.Change{Name: long, Before: long, After: long})
	}
	if err := l.mustOpen().Record(r); err != nil {
		t.Fatal(err)
	}
	if size := len(l.read()); size > 31_839 {
		t.Errorf("two lines have %d bytes", size)
	}
	l.assertSound(l.verify(), 2)
}

func TestMark_IsReadAsItIsWritten(t *testing.T) {
	l := newTestLog(t)
	last := l.write(l.mustOpen(), "oos-01")
	mark, err := audit.ParseMark(last.String())
	if err != nil {
		t.Fatal(err)
	}
	l.assertSound(l.verify(mark), 2)
	for _, wrong := range []string{"", "a:b:c", "log:1:abc", "log:1:" + strings.Repeat("x", 32)} {
		if _, err := audit.ParseMark(wrong); err == nil {
			t.Errorf("%q is a mark", wrong)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("{}\n")
	f.Add(`{"log":"a","seq":1,"prev":"","event":"opened","hash":"","mac":""}` + "\n")
	f.Fuzz(func(t *testing.T, content string) {
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		found, err := audit.Verify([]string{path}, keyring.Generated(), nil)
		if err != nil || len(found.Problems) == 0 {
			t.Errorf("%q is sound: %+v, %v", content, found, err)
		}
	})
}
