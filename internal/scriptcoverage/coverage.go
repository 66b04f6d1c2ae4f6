// Package scriptcoverage measures which statements of PowerShell scripts the
// tests of a package run. It hands PowerShell each script as a file and sets a
// breakpoint on each of its statements that no test has run yet; a few lines
// around the script write down which breakpoints were hit.
//
// Tests alone import it.
package scriptcoverage

import (
	"crypto/sha256"
	_ "embed" // for the script that lists statements
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

//go:embed statements.ps1
var listStatements string

// statement is one that PowerShell can break at.
type statement struct {
	file         string
	line, column int
	// name is how a list of statements that are not run has it.
	name string
}

// Coverage collects which statements were run. Its methods are safe for
// concurrent use.
type Coverage struct {
	pwsh, root, dir string
	// variant is a text of a script that stands for it as well.
	variant func(script string) string

	plan func() error
	// scripts are the texts of the scripts by name, statements what is in them.
	scripts    map[string]string
	statements []statement

	mu sync.Mutex
	// breakpoints are where they were set: file, line and column.
	breakpoints map[string]statement
	read        map[string]bool
	hit         map[statement]bool
}

// Start begins to measure the *.ps1 files in a folder and the folders below it,
// with the PowerShell at pwsh. variant returns the other text that a script may
// have where it runs; nil for none.
func Start(pwsh, folder string, variant func(script string) string) (*Coverage, error) {
	root, err := filepath.Abs(folder)
	if err != nil {
		return nil, fmt.Errorf("measure script coverage: %w", err)
	}
	dir, err := os.MkdirTemp("", "script-coverage-*")
	if err != nil {
		return nil, fmt.Errorf("measure script coverage: %w", err)
	}
	if variant == nil {
		variant = func(script string) string { return script }
	}
	c := &Coverage{
		pwsh: pwsh, root: root, dir: dir, variant: variant,
		breakpoints: map[string]statement{}, read: map[string]bool{}, hit: map[statement]bool{},
	}
	c.plan = sync.OnceValue(c.findStatements)
	return c, nil
}

// Close removes the files of the measurement.
func (c *Coverage) Close() error { return os.RemoveAll(c.dir) }

// findStatements reads the scripts and lists their statements.
func (c *Coverage) findStatements() error {
	var err error
	if c.scripts, err = readScripts(c.root); err != nil {
		return err
	}
	list := filepath.Join(c.dir, "statements.ps1")
	const private = 0o600
	if err := os.WriteFile(list, []byte(listStatements), private); err != nil {
		return err
	}
	out, err := exec.Command(c.pwsh, "-NoProfile", "-NonInteractive", "-File", list, "-Root", c.root).Output() //nolint:gosec // the PowerShell that tests are run with
	if err != nil {
		return fmt.Errorf("list the statements: %w", err)
	}
	c.statements, err = parseStatements(string(out))
	return err
}

// readScripts returns the scripts below a folder by their paths there, with
// slashes.
func readScripts(root string) (map[string]string, error) {
	scripts, tree := map[string]string{}, os.DirFS(root)
	err := fs.WalkDir(tree, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".ps1" {
			return err
		}
		raw, err := fs.ReadFile(tree, path)
		scripts[path] = string(raw)
		return err
	})
	return scripts, err
}

// parseStatements reads what statements.ps1 prints.
func parseStatements(lines string) ([]statement, error) {
	var all []statement
	seen := map[string]int{}
	for line := range strings.Lines(lines) {
		fields := strings.SplitN(strings.TrimRight(line, "\r\n"), "\t", 5)
		if len(fields) != 5 {
			return nil, fmt.Errorf("not a statement: %q", line)
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

// Instrument returns a prelude that runs prelude and script with breakpoints.
// Where PowerShell sees the files of this machine on a drive, as on Wine, drive
// is its name. A script that is not one of those measured stays as it is.
func (c *Coverage) Instrument(drive, prelude, script string) (string, error) {
	const create = "[ScriptBlock]::Create($utf8.GetString($frames[0]))"
	parse := func(path string) string {
		return "([System.Management.Automation.Language.Parser]::ParseFile('" + path + "', [ref] $null, [ref] $null).GetScriptBlock())"
	}
	if err := c.plan(); err != nil {
		return "", err
	}
	text, breakpoints := prelude, ""
	if c.isMeasured(script) {
		path, err := c.storeText(drive, script)
		if err != nil {
			return "", err
		}
		if breakpoints, err = c.setBreakpoints(path, script); err != nil {
			return "", err
		}
		if !strings.Contains(prelude, create) {
			return "", fmt.Errorf("the dispatcher does not make the script as %s", create)
		}
		text = strings.Replace(prelude, create, parse(path), 1)
	}
	path, err := c.storeText(drive, text)
	if err != nil {
		return "", err
	}
	more, err := c.setBreakpoints(path, prelude)
	return c.writeHits(drive, breakpoints+more, "& "+parse(path)+" $args[0] $args[1]"), err
}

// InstrumentFile returns the path of a script that runs the one at path, with
// its arguments, with breakpoints.
func (c *Coverage) InstrumentFile(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	breakpoints, err := c.setBreakpoints(path, string(text))
	if err != nil {
		return "", err
	}
	return c.storeText("", c.writeHits("", breakpoints, "& '"+path+"' @args"))
}

// isMeasured reports whether a text is, or contains, one of the scripts.
func (c *Coverage) isMeasured(text string) bool {
	for _, script := range c.scripts {
		if strings.Contains(text, script) {
			return true
		}
	}
	return false
}

// setBreakpoints returns the statements that set breakpoints in the file at
// path, which contains text: one for each statement of a script in it that no
// test has run yet.
func (c *Coverage) setBreakpoints(path, text string) (string, error) {
	if err := errors.Join(c.plan(), c.collectHits()); err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	offsets := map[string]int{}
	for name, script := range c.scripts {
		at := max(strings.Index(text, script), strings.Index(text, c.variant(script)))
		if at >= 0 {
			offsets[name] = strings.Count(text[:at], "\n")
		}
	}
	columns := map[int][]string{}
	for _, s := range c.statements {
		if offset, ok := offsets[s.file]; ok && !c.hit[s] {
			line := strconv.Itoa(s.line + offset)
			columns[s.column] = append(columns[s.column], line)
			c.breakpoints[forwardSlashes(path)+"|"+line+"|"+strconv.Itoa(s.column)] = s
		}
	}
	var b strings.Builder
	for column, lines := range columns {
		fmt.Fprintf(&b, "$null = Set-PSBreakpoint -Script '%s' -Column %d -Line %s -Action { }\n", path, column, strings.Join(lines, ","))
	}
	return b.String(), nil
}

// writeHits returns a script that runs body and then writes down which
// breakpoints were hit.
func (c *Coverage) writeHits(drive, breakpoints, body string) string {
	return fmt.Sprintf(`%stry { %s }
finally {
    $hits = @(foreach ($at in Get-PSBreakpoint) { if ($at.HitCount -gt 0) { '{0}|{1}|{2}' -f $at.Script, $at.Line, $at.Column } })
    $note = '%s/' + [guid]::NewGuid()
    [System.IO.File]::WriteAllLines($note, [string[]] $hits)
    [System.IO.File]::Move($note, $note + '.hits')
}
`, breakpoints, body, drive+c.dir)
}

// storeText writes a text to a file, and returns its path as PowerShell sees it.
func (c *Coverage) storeText(drive, text string) (string, error) {
	sum := sha256.Sum256([]byte(text))
	path := filepath.Join(c.dir, hex.EncodeToString(sum[:8])+".ps1")
	seen := path
	if drive != "" {
		seen = drive + strings.ReplaceAll(path, "/", `\`)
	}
	if _, err := os.Stat(path); err == nil {
		return seen, nil
	}
	const private = 0o600
	return seen, os.WriteFile(path, []byte(text), private)
}

// collectHits reads the hits that were written since the last time.
func (c *Coverage) collectHits() error {
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
			if s, ok := c.breakpoints[forwardSlashes(strings.TrimSpace(line))]; ok {
				c.hit[s] = true
			}
		}
	}
	return nil
}

// forwardSlashes is a path of Windows as Go's tests write paths.
func forwardSlashes(path string) string { return strings.ReplaceAll(path, `\`, "/") }
