package powershell_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// statement is one that the engine can break at.
type statement struct {
	file         string
	line, column int
	// name is how testdata/coverage/uncovered.txt knows it.
	name string
}

// coverage notes which statements of the shipped scripts the tests run. Go
// hands an engine the shipped texts as files; the engine's own breakpoints
// count, by way of a few lines before and after.
type coverage struct {
	dir  string
	pwsh string

	once sync.Once
	// shipped are the scripts by name, statements what is in them.
	shipped    map[string]string
	statements []statement
	err        error

	mu sync.Mutex
	// places are where breakpoints were set: file, line and column.
	places map[string]statement
	read   map[string]bool
	hit    map[statement]bool
	// wine is whether Wine ran.
	wine bool
}

// covered is what the tests of this package add to, where FARMTRUST_COVERAGE is
// set: breakpoints take time. Without it scripts run as they are.
var covered coverage

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "coverage")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	covered = coverage{dir: dir, places: map[string]statement{}, read: map[string]bool{}, hit: map[statement]bool{}}
	if os.Getenv("FARMTRUST_COVERAGE") != "" {
		covered.pwsh = findEngine()
	}
	code := m.Run()
	if code == 0 && covered.pwsh != "" && everyTestRan() {
		if problems := covered.check(); len(problems) != 0 {
			fmt.Printf("FAIL: statement coverage of the scripts:\n%s\n", strings.Join(problems, "\n"))
			code = 1
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// everyTestRan tells a run of all tests from one of some.
func everyTestRan() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.fuzz"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" {
			return false
		}
	}
	return !testing.Short()
}

// plan finds the statements of what ships.
func (c *coverage) plan() error {
	c.once.Do(func() {
		c.shipped = map[string]string{}
		for _, pattern := range []string{"*.ps1", "*/*.ps1", "*/*/*.ps1"} {
			paths, err := filepath.Glob("scripts/" + pattern)
			if err != nil {
				c.err = err
				return
			}
			for _, path := range paths {
				raw, err := os.ReadFile(path)
				if err != nil {
					c.err = err
					return
				}
				c.shipped[strings.TrimPrefix(filepath.ToSlash(path), "scripts/")] = string(raw)
			}
		}
		root, err := filepath.Abs("scripts")
		if err != nil {
			c.err = err
			return
		}
		out, err := exec.Command(c.pwsh, "-NoProfile", "-NonInteractive", "-File", "testdata/coverage/statements.ps1", "-Root", root).Output() //nolint:gosec // the engine that tests are run with
		if err != nil {
			c.err = fmt.Errorf("list the statements: %w", err)
			return
		}
		c.statements, c.err = readStatements(string(out))
	})
	return c.err
}

func readStatements(lines string) ([]statement, error) {
	var all []statement
	seen := map[string]int{}
	for line := range strings.Lines(lines) {
		fields := strings.SplitN(strings.TrimRight(line, "\r\n"), "\t", 5)
		if len(fields) != 5 {
			return nil, fmt.Errorf("no statement: %q", line)
		}
		s := statement{file: fields[0]}
		var err error
		if s.line, err = strconv.Atoi(fields[1]); err != nil {
			return nil, err
		}
		if s.column, err = strconv.Atoi(fields[2]); err != nil {
			return nil, err
		}
		s.name = fields[0] + " " + fields[3] + ": " + fields[4]
		if seen[s.name]++; seen[s.name] > 1 {
			s.name += " #" + strconv.Itoa(seen[s.name])
		}
		all = append(all, s)
	}
	return all, nil
}

// watch returns the statements that set breakpoints in the file at path, which
// holds text: one for each statement of a shipped script that stands there and
// that no test has run yet.
func (c *coverage) watch(path, text string) (string, error) {
	if err := errors.Join(c.plan(), c.collect()); err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	offsets := map[string]int{}
	for name, script := range c.shipped {
		at := max(strings.Index(text, script), strings.Index(text, forWine(script)))
		if at >= 0 {
			offsets[name] = strings.Count(text[:at], "\n")
		}
	}
	columns := map[int][]string{}
	for _, s := range c.statements {
		if offset, ok := offsets[s.file]; ok && !c.hit[s] {
			line := strconv.Itoa(s.line + offset)
			columns[s.column] = append(columns[s.column], line)
			c.places[forwardSlashes(path)+"|"+line+"|"+strconv.Itoa(s.column)] = s
		}
	}
	var b strings.Builder
	for column, lines := range columns {
		fmt.Fprintf(&b, "$null = Set-PSBreakpoint -Script '%s' -Column %d -Line %s -Action { }\n", path, column, strings.Join(lines, ","))
	}
	return b.String(), nil
}

// noted runs body and writes down which breakpoints were hit.
func (c *coverage) noted(drive, breakpoints, body string) string {
	return fmt.Sprintf(`%stry { %s }
finally {
    $hits = @(foreach ($at in Get-PSBreakpoint) { if ($at.HitCount -gt 0) { '{0}|{1}|{2}' -f $at.Script, $at.Line, $at.Column } })
    $note = '%s/' + [guid]::NewGuid()
    [System.IO.File]::WriteAllLines($note, [string[]] $hits)
    [System.IO.File]::Move($note, $note + '.hits')
}
`, breakpoints, body, drive+c.dir)
}

// prelude returns one that runs a prelude and a script with breakpoints. On
// Wine the way to files begins with a drive. A script of a test's own is left
// as it is.
func (c *coverage) prelude(drive, prelude, script string) (string, error) {
	const create = "[ScriptBlock]::Create($utf8.GetString($frames[0]))"
	parse := func(path string) string {
		return "([System.Management.Automation.Language.Parser]::ParseFile('" + path + "', [ref] $null, [ref] $null).GetScriptBlock())"
	}
	if c.pwsh == "" {
		return prelude, nil
	}
	if err := c.plan(); err != nil {
		return "", err
	}
	text, breakpoints := prelude, ""
	if c.holdsShipped(script) {
		path, err := c.store(drive, script)
		if err != nil {
			return "", err
		}
		if breakpoints, err = c.watch(path, script); err != nil {
			return "", err
		}
		if !strings.Contains(prelude, create) {
			return "", fmt.Errorf("the dispatcher does not make the script as %s", create)
		}
		text = strings.Replace(prelude, create, parse(path), 1)
	}
	path, err := c.store(drive, text)
	if err != nil {
		return "", err
	}
	more, err := c.watch(path, prelude)
	return c.noted(drive, breakpoints+more, "& "+parse(path)+" $args[0] $args[1]"), err
}

// holdsShipped tells scripts that ship, and those that hold one, from others.
func (c *coverage) holdsShipped(script string) bool {
	for _, ours := range c.shipped {
		if strings.Contains(script, ours) {
			return true
		}
	}
	return false
}

// file returns the path of a script that runs the one at path, with its
// arguments, with breakpoints.
func (c *coverage) file(path string) (string, error) {
	if c.pwsh == "" {
		return path, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	breakpoints, err := c.watch(path, string(text))
	if err != nil {
		return "", err
	}
	return c.store("", c.noted("", breakpoints, "& '"+path+"' @args"))
}

// store keeps a text as a file, and tells its path as the engine sees it.
func (c *coverage) store(drive, text string) (string, error) {
	sum := sha256.Sum256([]byte(text))
	path := filepath.Join(c.dir, hex.EncodeToString(sum[:8])+".ps1")
	seen := path
	if drive != "" {
		seen = drive + strings.ReplaceAll(path, "/", `\`)
	}
	if _, err := os.Stat(path); err == nil {
		return seen, nil
	}
	return seen, os.WriteFile(path, []byte(text), 0o600)
}

// collect reads what engines have noted since the last time.
func (c *coverage) collect() error {
	paths, err := filepath.Glob(filepath.Join(c.dir, "*.hits"))
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, path := range paths {
		if c.read[path] {
			continue
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		c.read[path] = true
		for line := range strings.Lines(string(raw)) {
			if s, ok := c.places[forwardSlashes(strings.TrimSpace(line))]; ok {
				c.hit[s] = true
			}
		}
	}
	return nil
}

// forwardSlashes is a path of Windows as Go's tests write paths.
func forwardSlashes(path string) string { return strings.ReplaceAll(path, `\`, "/") }

// watched returns the path of a script that runs the one at path and counts.
func watched(t *testing.T, path string) string {
	t.Helper()
	watching, err := covered.file(path)
	if err != nil {
		t.Fatal(err)
	}
	return watching
}

// usesWine says that Wine is there.
func (c *coverage) usesWine() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wine = true
}
