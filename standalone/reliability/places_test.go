package reliability

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	_ "modernc.org/sqlite" // the driver of Temporal's database
)

// collectFiles returns all files below dir except those that are meant to hold a
// secret.
func collectFiles(t *testing.T, dir string, excluded ...string) []place {
	t.Helper()
	var all []place
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a temporary file that was deleted during the walk
		}
		if err != nil || d.IsDir() || slices.ContainsFunc(excluded, func(m string) bool { return strings.HasPrefix(path, m) }) {
			return err
		}
		content, err := os.ReadFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // it was deleted between the listing and here
		case err != nil:
			return err
		}
		all = append(all, place{path, content})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// collectRows returns all rows of all tables of the Temporal databases in dir. In
// the file itself a long row is split across pages, which hides what it contains.
func collectRows(t *testing.T, dir string) []place {
	t.Helper()
	databases, err := filepath.Glob(filepath.Join(dir, "*.db"))
	if err != nil || len(databases) == 0 {
		t.Fatalf("find a database in %s: %v", dir, err)
	}
	var all []place
	for _, path := range databases {
		db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?mode=ro&_pragma=busy_timeout(10000)")
		if err != nil {
			t.Fatal(err)
		}
		var tables []string
		for _, row := range queryRows(t, db, "SELECT name FROM sqlite_master WHERE type = 'table'") {
			tables = append(tables, string(row))
		}
		for _, table := range tables {
			for _, row := range queryRows(t, db, fmt.Sprintf("SELECT * FROM %q", table)) {
				all = append(all, place{"row of " + table, row})
			}
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	return all
}

// queryRows returns each row of a query, its values joined by newlines.
func queryRows(t *testing.T, db *sql.DB, text string) [][]byte {
	t.Helper()
	result, err := db.QueryContext(t.Context(), text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	defer result.Close()
	columns, err := result.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for result.Next() {
		values := make([]sql.RawBytes, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := result.Scan(into...); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		var row []byte
		for i, v := range values {
			if i > 0 {
				row = append(row, '\n')
			}
			row = append(row, v...)
		}
		all = append(all, row)
	}
	if err := result.Err(); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return all
}

// collectHistory returns every event that Temporal has recorded about a run.
func collectHistory(t *testing.T, c client.Client, run client.WorkflowRun) place {
	t.Helper()
	p := place{name: "history of " + run.GetID()}
	events := c.GetWorkflowHistory(t.Context(), run.GetID(), run.GetRunID(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := event.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		p.content = append(p.content, raw...)
	}
	return p
}

// collectCalls returns what reached the servers apart from the secrets
// themselves: command lines, scripts, parameters and results.
func (l *callLog) collectCalls() []place {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []place
	for _, line := range l.lines {
		all = append(all, place{"command line", []byte(line)})
	}
	for _, a := range l.calls {
		all = append(all, place{a.script + " on " + a.host, []byte(a.text + "\n" + a.params + "\n" + a.result)})
	}
	return all
}

// newPlace returns a value in its JSON form, which operators and programs see.
func newPlace(t *testing.T, name string, value any) place {
	t.Helper()
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return place{name, raw}
}

// watchFiles collects short-lived places until ctx is done: temporary files, and
// the environments and command lines of this process's descendants, which only
// Linux exposes. The function that it returns waits for the end and returns them.
func watchFiles(ctx context.Context, t *testing.T, temporary string) func() []place {
	t.Helper()
	var watching sync.WaitGroup
	seen := map[string]place{}
	watching.Go(func() {
		for ctx.Err() == nil {
			for _, p := range slices.Concat(collectFiles(t, temporary), listProcesses(os.Getpid())) {
				seen[p.name+string(p.content)] = p
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
	return func() []place {
		watching.Wait()
		return slices.Collect(maps.Values(seen))
	}
}

// listProcesses returns the environments and command lines of a process's
// descendants.
func listProcesses(parent int) []place {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	children := map[int][]int{}
	for _, path := range stats {
		content, err := os.ReadFile(path)
		if err != nil {
			continue // the process has ended
		}
		// The state and the parent's ID follow the name, which can contain any
		// character.
		_, rest, _ := strings.Cut(string(content[strings.LastIndexByte(string(content), ')')+1:]), " ")
		words := strings.Fields(rest)
		of, err := strconv.Atoi(words[1])
		id, err2 := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if errors.Join(err, err2) == nil {
			children[of] = append(children[of], id)
		}
	}
	var all []place
	for generation := children[parent]; len(generation) > 0; {
		var next []int
		for _, id := range generation {
			for _, file := range []string{"environ", "cmdline"} {
				path := fmt.Sprintf("/proc/%d/%s", id, file)
				if content, err := os.ReadFile(path); err == nil {
					all = append(all, place{path, content})
				}
			}
			next = append(next, children[id]...)
		}
		generation = next
	}
	return all
}
