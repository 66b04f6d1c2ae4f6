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
	_ "modernc.org/sqlite" // the driver of the database that Temporal keeps
)

// files are all files below a folder but those that are meant to hold a secret.
func collectFiles(t *testing.T, dir string, meant ...string) []place {
	t.Helper()
	var all []place
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // gone meanwhile, as temporary files go
		}
		if err != nil || d.IsDir() || slices.ContainsFunc(meant, func(m string) bool { return strings.HasPrefix(path, m) }) {
			return err
		}
		content, err := os.ReadFile(path)
		if err == nil {
			all = append(all, place{path, content})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// rows are all rows of all tables of Temporal's databases below a folder. In a
// file a long row is divided by the pages; here it is not.
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
		for _, row := range queryColumn(t, db, "SELECT name FROM sqlite_master WHERE type = 'table'") {
			tables = append(tables, string(row))
		}
		for _, table := range tables {
			for _, row := range queryColumn(t, db, fmt.Sprintf("SELECT * FROM %q", table)) {
				all = append(all, place{"row of " + table, row})
			}
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	return all
}

// query returns each row as its values, one after the other.
func queryColumn(t *testing.T, db *sql.DB, text string) [][]byte {
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

// history is everything that Temporal tells about a workflow.
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

// wire is what reached the servers outside of what is meant to be secret:
// command lines, scripts, parameters and results.
func (l *callLog) collectCalls() []place {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []place
	for _, line := range l.lines {
		all = append(all, place{"command line", []byte(line)})
	}
	for _, a := range l.acts {
		all = append(all, place{a.script + " on " + a.host, []byte(a.text + "\n" + a.params + "\n" + a.result)})
	}
	return all
}

// said is a value as people and programs get it.
func newPlace(t *testing.T, name string, value any) place {
	t.Helper()
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return place{name, raw}
}

// watch looks, as long as ctx is not done, at what comes and goes: temporary
// files, and the environment and command lines of all processes that this one
// started, which only Linux shows.
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

// processes are the environments and command lines of a process's descendants.
func listProcesses(parent int) []place {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	children := map[int][]int{}
	for _, path := range stats {
		content, err := os.ReadFile(path)
		if err != nil {
			continue // ended meanwhile
		}
		// After the name, which may hold anything, come the state and the parent.
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
