package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// walkHeading is the section of the README whose commands are run.
const walkHeading = "## Try it as an administrator would\n"

// readmeWalk runs the commands of the README as they stand there, but for the ports
// and the folders, which are the test's own.
type readmeWalk struct {
	t     *testing.T
	paths *strings.Replacer
	env   []string
	// blocks are those of the section that are still to be run.
	blocks []string
}

// exitCode matches what the README says of the exit code of a command.
var exitCode = regexp.MustCompile(`#.*exit code (\d)`)

// TestReadme_WalkOfAnAdministrator pastes what the README has an administrator type.
func TestReadme_WalkOfAnAdministrator(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("bash"); err != nil || runtime.GOOS == "windows" {
		t.Skip("the README's commands are for a shell")
	}
	w := newReadmeWalk(t)
	w.build()
	w.serve() // the farm
	w.serveTemporal()
	w.serve()    // the worker
	w.runBlock() // check, plan, rotate
	w.runBlock() // what waits
	w.approve()
	w.runBlock() // watch, report
	w.runBlock() // the fault, undo
	w.approve()
	w.runBlock() // retry, resume, release
	if len(w.blocks) > 0 {
		t.Errorf("the README has %d blocks more: run them here", len(w.blocks))
	}
}

func newReadmeWalk(t *testing.T) *readmeWalk {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), walkHeading)
	section, _, _ = strings.Cut(section, "\n## ")
	w := &readmeWalk{t: t}
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(section, -1) {
		w.blocks = append(w.blocks, block[1])
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	admin := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	w.paths = strings.NewReplacer("/tmp/contoso", filepath.Join(dir, "farm"), "127.0.0.1:8234", admin, " bin/", " "+dir+"/bin/", "> contoso.html", "> "+dir+"/contoso.html")
	w.env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"),
		"TEMPORAL_CONFIG_FILE="+filepath.Join(dir, "none.toml"), "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
	return w
}

// next returns the lines of the next block.
func (w *readmeWalk) next() []string {
	w.t.Helper()
	if len(w.blocks) == 0 {
		w.t.Fatalf("the README has fewer blocks under %q", walkHeading)
	}
	block := w.blocks[0]
	w.blocks = w.blocks[1:]
	return strings.Split(strings.TrimSpace(block), "\n")
}

// build builds the programs, but for the one that this test is part of.
func (w *readmeWalk) build() {
	w.t.Helper()
	for _, line := range w.next() {
		if strings.HasPrefix(line, "go build -o") {
			w.run(line)
		}
	}
}

// command returns a line of the README as a process that is not started yet.
func (w *readmeWalk) command(ctx context.Context, line string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "bash", "-c", w.paths.Replace(line))
	cmd.Dir, cmd.Env = "..", w.env
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	return cmd
}

// serve runs the lines of a block, the last of which is a program that runs until the
// test ends.
func (w *readmeWalk) serve() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	lines := w.next()
	line := lines[len(lines)-1]
	for _, before := range lines[:len(lines)-1] {
		w.run(before)
	}
	cmd := w.command(ctx, "exec "+line)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		cancel()
		if err := cmd.Wait(); err != nil && !errors.Is(err, context.Canceled) || w.t.Failed() {
			w.t.Logf("%s: %v\n%s", line, err, &log)
		}
	})
}

// serveTemporal starts the Temporal server, and points the other programs at it.
func (w *readmeWalk) serveTemporal() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	args := strings.Fields(w.next()[0])
	shown, stderr := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, args[0], append(slices.Clip(anyPorts), args[1:]...), io.Discard, stderr)
		_ = stderr.Close()
	}()
	said := readUntil(w.t, shown, "Ctrl-C to quit")
	go func() { _, _ = io.Copy(io.Discard, shown) }()
	address := regexp.MustCompile(`Temporal: (\S+)`).FindStringSubmatch(said)
	w.env = append(w.env, "TEMPORAL_ADDRESS="+address[1])
	w.t.Cleanup(func() {
		cancel()
		if got := <-code; got != exitOK {
			w.t.Errorf("%s: exit code %d", args[0], got)
		}
	})
}

// runBlock runs the lines of the next block.
func (w *readmeWalk) runBlock() {
	w.t.Helper()
	for _, line := range w.next() {
		w.run(line)
	}
}

// run runs a line until it ends with the exit code that the README says. Who reads
// pastes it later than a test does, when the farm was inspected and what runs has come
// as far as the text says.
func (w *readmeWalk) run(line string) string {
	w.t.Helper()
	want := "0"
	if said := exitCode.FindStringSubmatch(line); said != nil {
		want = said[1]
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Minute)
	defer cancel()
	for {
		out, err := w.command(ctx, line+"\nend=$?; echo; echo exit=$end; exit $end").CombinedOutput()
		switch {
		case strings.HasSuffix(string(out), "exit="+want+"\n"):
			return string(out)
		case ctx.Err() != nil || strings.HasPrefix(line, "go build"):
			w.t.Fatalf("%s: %v, want exit code %s\n%s", line, err, want, out)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// approve gives the approval that waits, by the command that is printed for it.
func (w *readmeWalk) approve() {
	w.t.Helper()
	line := approveCommand.FindString(w.run("farmtrust approve contoso # exit code 4"))
	w.run(line)
}
