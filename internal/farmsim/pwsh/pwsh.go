// Package pwsh runs the shipped scripts in a real PowerShell on this machine,
// against simulated servers: the one command line of every call, with the
// received envelope on standard input. Stubs replace only the part of the
// prelude that needs Windows, and the cmdlets of Windows and the products.
//
// It decides nothing. How parameters bind and whether a cmdlet prompts is
// decided by PowerShell, from the interfaces that the stubs declare; all else
// by package model, whose operations the stubs call over HTTP.
package pwsh

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

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// Engine runs scripts until [Engine.Close]. Its methods are safe for
// concurrent use.
type Engine struct {
	path, dir string
	server    *server
	// workers run calls, unless each has a process of its own.
	workers *workers
	// slots bound how many PowerShells run at once: more than processors only
	// make each slower.
	slots chan struct{}
}

// Output is what a process printed, and how it ended.
type Output struct {
	Stdout, Stderr []byte
	Exit           int
}

// Start makes an engine of the PowerShell at path, or by that name on PATH. It
// runs each call in a process of its own, as a server does.
func Start(path string) (*Engine, error) { return startEngine(path, false) }

// StartShared is [Start] for an engine that runs calls in fresh runspaces of a
// few processes. That takes a tenth of the time; the command line, the reading of
// standard input and exit codes, which are those of a process, are then not part
// of what runs, and [Output.Exit] is always 0.
func StartShared(path string) (*Engine, error) { return startEngine(path, true) }

func startEngine(path string, shared bool) (e *Engine, err error) {
	found, err := exec.LookPath(path)
	if err == nil {
		found, err = filepath.Abs(found)
	}
	if err != nil {
		return nil, fmt.Errorf("start a PowerShell engine: %w", err)
	}
	e = &Engine{path: found, slots: make(chan struct{}, runtime.NumCPU())}
	if e.dir, err = os.MkdirTemp("", "farmsim-stubs-*"); err != nil {
		return nil, fmt.Errorf("start a PowerShell engine: %w", err)
	}
	if e.server, err = startServer(); err == nil {
		err = installStubs(e.dir)
	}
	if err == nil && shared {
		e.workers, err = newWorkers(found, e.dir)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start a PowerShell engine: %w", err), e.Close())
	}
	return e, nil
}

// Close removes what the engine needed.
func (e *Engine) Close() error {
	var errs []error
	if e.workers != nil {
		errs = append(errs, e.workers.close())
	}
	if e.server != nil {
		errs = append(errs, e.server.close())
	}
	return errors.Join(append(errs, os.RemoveAll(e.dir))...)
}

// Call is what is run, where, and what is different there from a server as the
// model knows it.
type Call struct {
	// Session is the logon session on a server that the script runs in.
	Session *model.Session
	// Envelope is what the server received. Its prelude is replaced by
	// [Prelude].
	Envelope powershell.Envelope
	// Overrides take the place of operations of the model; nil for none.
	Overrides Overrides
	// ProgramFiles is the folder that stands for Program Files. Empty means one
	// that exists during the call only, with the SharePoint task in it.
	ProgramFiles string
	// Instrument changes the prelude and the script just before they run, as a
	// measurement of coverage does; nil for nothing.
	Instrument func(prelude, script string) (newPrelude, newScript string, err error)
	// InstrumentFile is the same for the script of a scheduled task: it returns
	// the path of the script to run in the place of that at path; nil for the same.
	InstrumentFile func(path string) (newPath string, err error)
}

// Run runs a call's script. The error wraps [model.ErrDown] when the machine
// went down meanwhile.
func (e *Engine) Run(ctx context.Context, c Call) (Output, error) {
	select {
	case e.slots <- struct{}{}:
		defer func() { <-e.slots }()
	case <-ctx.Done():
		return Output{}, context.Cause(ctx)
	}
	name := c.Envelope.Name
	products, err := installedProducts(c.Session)
	if err != nil {
		return Output{}, err
	}
	if c.ProgramFiles == "" {
		programs, err := e.makeProgramFiles()
		if err != nil {
			return Output{}, fmt.Errorf("run %s: %w", name, err)
		}
		defer func() { _ = os.RemoveAll(programs) }() // Close removes what is left.
		c.ProgramFiles, c.Envelope.Prelude = programs, powershell.PreludeOn(stubsWithTask())
	} else {
		c.Envelope.Prelude = powershell.PreludeOn(Stubs())
	}
	stdin, err := c.seal()
	if err != nil {
		return Output{}, fmt.Errorf("run %s: %w", name, err)
	}
	return e.execute(ctx, c, products, func(ctx context.Context, environment []string) (Output, error) {
		if e.workers != nil {
			return e.workers.runInRunspace(ctx, powershell.Bootstrap(), stdin, environment)
		}
		return e.startProcess(ctx, strings.Fields(powershell.CommandLine())[1:], stdin, environment)
	})
}

// RunCommand starts PowerShell with arguments and standard input of the
// caller's own, in the place of c's envelope. The process is always one of its
// own.
func (e *Engine) RunCommand(ctx context.Context, c Call, stdin []byte, arguments ...string) (Output, error) {
	products, err := installedProducts(c.Session)
	if err != nil {
		return Output{}, err
	}
	return e.execute(ctx, c, products, func(ctx context.Context, environment []string) (Output, error) {
		return e.startProcess(ctx, arguments, stdin, environment)
	})
}

// execute calls run with the environment of a server with these products, from
// where stubs reach the model.
func (e *Engine) execute(ctx context.Context, c Call, products []product, run func(context.Context, []string) (Output, error)) (Output, error) {
	running, stop := context.WithCancel(ctx)
	defer stop()
	c.Session.BeginScript(c.Envelope.Name)
	p := e.server.authorize(c, stop)
	out, err := run(running, append(environmentOf(e.dir, products),
		"ProgramFiles="+c.ProgramFiles, "FARMTRUST_MODEL="+e.server.address(), "FARMTRUST_TOKEN="+p.token))
	if broken := p.endProcess(); broken != nil {
		return Output{}, fmt.Errorf("run %s: %w", c.Envelope.Name, broken)
	}
	if ctx.Err() != nil {
		return Output{}, context.Cause(ctx)
	}
	return out, err
}

// seal makes the standard input of the process.
func (c Call) seal() (stdin []byte, err error) {
	if c.Instrument != nil {
		c.Envelope.Prelude, c.Envelope.Script, err = c.Instrument(c.Envelope.Prelude, c.Envelope.Script)
		if err != nil {
			return nil, err
		}
	}
	return c.Envelope.Seal()
}

// makeProgramFiles makes a folder that stands for Program Files, with the
// SharePoint task in it.
func (e *Engine) makeProgramFiles() (string, error) {
	folder, err := os.MkdirTemp(e.dir, "programs-*")
	if err != nil {
		return "", err
	}
	task := filepath.Join(folder, "farmtrust")
	const private = 0o700
	script := []byte(powershell.TaskScriptOn(stubsWithTask()))
	return folder, errors.Join(
		os.MkdirAll(filepath.Join(task, "requests"), private), os.MkdirAll(filepath.Join(task, "results"), private),
		os.WriteFile(filepath.Join(task, "farmtrust-sharepoint.ps1"), script, private),
	)
}

// startProcess starts a PowerShell and waits for its end.
func (e *Engine) startProcess(ctx context.Context, arguments []string, stdin []byte, environment []string) (Output, error) {
	cmd := exec.CommandContext(ctx, e.path, arguments...)
	cmd.Dir, cmd.Env, cmd.Stdin = e.dir, append(os.Environ(), environment...), bytes.NewReader(stdin)
	// A child that keeps a pipe open must not keep the caller.
	const waitDelay = 5 * time.Second
	cmd.WaitDelay = waitDelay
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		return Output{}, fmt.Errorf("run PowerShell: %w", err)
	}
	return Output{Stdout: stdout.Bytes(), Stderr: stderr.Bytes(), Exit: cmd.ProcessState.ExitCode()}, nil
}
