// Package engine runs what a simulated server receives in a PowerShell on this
// machine: the one command line, with the received envelope on standard input.
// Of what ships it replaces only the part that needs Windows, and stands in for
// the products, by the stand-ins of package cmdlets.
//
// It decides nothing: what happens is PowerShell's and the model's doing.
package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/farmsim/cmdlets"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// Engine runs scripts until [Engine.Close].
type Engine struct {
	path, dir string
	door      *cmdlets.Door
	// slots bound how many PowerShells run at once: more than processors only
	// make each slower.
	slots chan struct{}
}

// Output is what a process printed, and how it ended.
type Output struct {
	Stdout, Stderr []byte
	Exit           int
}

// Start makes an engine of the PowerShell at path, or by that name on PATH.
func Start(path string) (e *Engine, err error) {
	found, err := exec.LookPath(path)
	if err == nil {
		found, err = filepath.Abs(found)
	}
	if err != nil {
		return nil, fmt.Errorf("start an engine: %w", err)
	}
	e = &Engine{path: found, slots: make(chan struct{}, runtime.NumCPU())}
	if e.dir, err = os.MkdirTemp("", "farmsim-standins-*"); err != nil {
		return nil, fmt.Errorf("start an engine: %w", err)
	}
	if e.door, err = cmdlets.Open(); err == nil {
		err = cmdlets.Install(e.dir)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start an engine: %w", err), e.Close())
	}
	return e, nil
}

// Close removes what the engine needed.
func (e *Engine) Close() error {
	var closed error
	if e.door != nil {
		closed = e.door.Close()
	}
	return errors.Join(closed, os.RemoveAll(e.dir))
}

// Run runs the script of an envelope in session, on a server with these
// products. The error wraps [model.ErrDown] when the machine went down
// meanwhile.
func (e *Engine) Run(ctx context.Context, session *model.Session, call powershell.Envelope, products ...cmdlets.Product) (Output, error) {
	select {
	case e.slots <- struct{}{}:
		defer func() { <-e.slots }()
	case <-ctx.Done():
		return Output{}, context.Cause(ctx)
	}
	call.Prelude = powershell.PreludeOn(powershell.TaskFiles() + "\n" + cmdlets.Prelude())
	stdin, err := call.Seal()
	if err != nil {
		return Output{}, err
	}
	programs, err := e.programs()
	if err != nil {
		return Output{}, fmt.Errorf("run %s: %w", call.Name, err)
	}
	defer func() { _ = os.RemoveAll(programs) }() // Close removes what is left.
	running, stop := context.WithCancel(ctx)
	defer stop()
	visit := e.door.Admit(session, stop)
	out, err := e.start(running, stdin, append(cmdlets.Environment(e.dir, products...),
		"ProgramFiles="+programs, "FARMTRUST_DOOR="+e.door.Address(), "FARMTRUST_TOKEN="+visit.Token))
	if broken := visit.End(); broken != nil {
		return Output{}, fmt.Errorf("run %s: %w", call.Name, broken)
	}
	if ctx.Err() != nil {
		return Output{}, context.Cause(ctx)
	}
	return out, err
}

// programs makes a folder that stands for Program Files during one call, with
// the SharePoint task in it.
func (e *Engine) programs() (string, error) {
	folder, err := os.MkdirTemp(e.dir, "programs-*")
	if err != nil {
		return "", err
	}
	task := filepath.Join(folder, "farmtrust")
	const private = 0o700
	script := []byte(powershell.TaskScriptOn(cmdlets.Prelude()))
	return folder, errors.Join(
		os.MkdirAll(filepath.Join(task, "requests"), private), os.MkdirAll(filepath.Join(task, "results"), private),
		os.WriteFile(filepath.Join(task, "farmtrust-sharepoint.ps1"), script, private),
	)
}

// start runs the command line that every server gets, but for the name of the
// program.
func (e *Engine) start(ctx context.Context, stdin []byte, environment []string) (Output, error) {
	cmd := exec.CommandContext(ctx, e.path, strings.Fields(powershell.CommandLine())[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdin = e.dir, append(os.Environ(), environment...), bytes.NewReader(stdin)
	// A child that keeps a pipe open must not keep the caller.
	const patience = 5 * time.Second
	cmd.WaitDelay = patience
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		return Output{}, fmt.Errorf("run PowerShell: %w", err)
	}
	return Output{Stdout: stdout.Bytes(), Stderr: stderr.Bytes(), Exit: cmd.ProcessState.ExitCode()}, nil
}
