package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

const nonce = "0123456789"

func envelope(script string) powershell.Envelope {
	return powershell.Envelope{Name: "Test", Script: "param()\n" + script, Nonce: nonce, Params: []byte("{}")}
}

func TestAScriptEndsWithTheMachineItRunsOn(t *testing.T) {
	t.Parallel()
	s := newScene(t, "2016")
	session, product := s.session(office, "")
	s.ok(s.world.Reboot(office, time.Hour))
	_, err := s.engine.Run(t.Context(), session, envelope(`while ($true) { $null = Get-ComputerName }`), product)
	if !errors.Is(err, model.ErrDown) {
		t.Errorf("got %v, want that the machine went down", err)
	}
}

func TestAScriptEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	s := newScene(t, "2016")
	session, product := s.session(office, "")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	began := func() bool {
		return slices.Contains(s.world.State().Machines[0].Tasks, "began")
	}
	go func() {
		for !began() && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	_, err := s.engine.Run(ctx, session, envelope(`
		Invoke-Door -Name Register-ScheduledTask -With @{ Name = 'began'; User = ''; Argument = '' }
		while ($true) { }`), product)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that the caller gave up", err)
	}
}

func TestNothingThatAScriptSaysIsLost(t *testing.T) {
	t.Parallel()
	s := newScene(t, "2016")
	for script, says := range map[string]string{
		`Invoke-Door -Name Get-Nothing`:                                         `no operation stands behind "Get-Nothing"`,
		`Invoke-Door -Name Get-FileTime -With @{ Path = 'x'; Missing = 'y' }`:   `unknown field "Missing"`,
		`Import-OfficeModule; Set-OfficeWebAppsFarm -Proxy http://proxy -Force`: `unknown field "Proxy"`,
	} {
		session, product := s.session(office, "")
		_, err := s.engine.Run(t.Context(), session, envelope(script), product)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %q", script, err, says)
		}
	}
}

func TestAProcessWithoutATokenIsNotLetIn(t *testing.T) {
	t.Parallel()
	s := newScene(t, "2016")
	var result struct {
		Said string `json:"said"`
	}
	s.run(office, "", `param()
		$env:FARMTRUST_TOKEN = 'guessed'
		try { Get-ComputerName } catch { $said = $_.Exception.Message }
		[pscustomobject] @{ said = $said }`, map[string]string{}, &result)
	if !strings.Contains(result.Said, "401") {
		t.Errorf("it says %q", result.Said)
	}
}
