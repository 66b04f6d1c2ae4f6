package pwsh_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/pwsh"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

const nonce = "0123456789"

func envelope(script string) powershell.Envelope {
	return powershell.Envelope{Name: "Test", Script: "param()\n" + script, Nonce: nonce, Params: []byte("{}")}
}

// whenBegun calls act once the script has registered the task "began".
func (s *testFarm) whenBegun(ctx context.Context, act func()) {
	began := func() bool { return slices.Contains(s.world.State().Machines[0].Tasks, "began") }
	go func() {
		for !began() && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		act()
	}()
}

const begin = "Invoke-Model -Name Register-ScheduledTask -With @{ Name = 'began'; User = ''; Argument = '' }\n"

// TestRun_EndsWithMachine checks that a script ends with the machine that it
// runs on.
func TestRun_EndsWithMachine(t *testing.T) {
	t.Parallel()
	for how := range engines {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s := newTestFarmOn(t, how, "2016")
			session := s.session(office)
			s.whenBegun(t.Context(), func() { s.ok(s.world.Reboot(office, time.Hour)) })
			_, err := s.engine.Run(t.Context(), pwsh.Call{Session: session, Envelope: envelope(begin + `while ($true) { $null = Get-ComputerName }`)})
			if !errors.Is(err, model.ErrDown) {
				t.Errorf("got %v, want that the machine went down", err)
			}
		})
	}
}

func TestRun_EndsWithCaller(t *testing.T) {
	t.Parallel()
	for how := range engines {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s := newTestFarmOn(t, how, "2016")
			session := s.session(office)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s.whenBegun(ctx, cancel)
			_, err := s.engine.Run(ctx, pwsh.Call{Session: session, Envelope: envelope(begin + `while ($true) { }`)})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want that the caller gave up", err)
			}
		})
	}
}

// TestRun_LosesNoError checks that no error of a script is lost.
func TestRun_LosesNoError(t *testing.T) {
	t.Parallel()
	s := newTestFarm(t, "2016")
	for script, says := range map[string]string{
		`Invoke-Model -Name Get-Nothing`:                                        `Get-Nothing: no operation stands behind this stub`,
		`Invoke-Model -Name Get-FileTime -With @{ Path = 'x'; Missing = 'y' }`:  `unknown field "Missing"`,
		`Import-OfficeModule; Set-OfficeWebAppsFarm -Proxy http://proxy -Force`: `unknown field "Proxy"`,
	} {
		session := s.session(office)
		_, err := s.engine.Run(t.Context(), pwsh.Call{Session: session, Envelope: envelope(script)})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %q", script, err, says)
		}
	}
}

// TestRun_NeedsToken checks that a process without the token is not let in.
func TestRun_NeedsToken(t *testing.T) {
	t.Parallel()
	s := newTestFarm(t, "2016")
	var result struct {
		Said string `json:"said"`
	}
	s.run(office, `param()
		$token = $env:FARMTRUST_TOKEN
		$env:FARMTRUST_TOKEN = 'guessed'
		try { Get-ComputerName } catch { $said = $_.Exception.Message }
		$env:FARMTRUST_TOKEN = $token # what ends the script needs it
		[pscustomobject] @{ said = $said }`, map[string]string{}, &result)
	if !strings.Contains(result.Said, "401") {
		t.Errorf("it says %q", result.Said)
	}
}
