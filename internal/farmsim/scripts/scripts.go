// Package scripts is a port of the shipped scripts to Go, on the operations of
// package model: what a PowerShell takes seconds for, it does in microseconds.
// A file is named after the script or the part of the prelude that it ports.
//
// Tests run both on the same farm and compare them; see package pwsh for the
// scripts themselves.
package scripts

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// script is the port of one script.
type script func(s *model.Session, params json.RawMessage, secrets [][]byte) (any, error)

// ports are the ports of all scripts, by name.
func ports() map[string]script {
	return map[string]script{
		powershell.ScriptOf(powershell.GetOfficeServer{}):         ported(getOfficeServer),
		powershell.ScriptOf(powershell.ImportS2SCertificate{}):    ported(importS2SCertificate),
		powershell.ScriptOf(powershell.GrantS2SKey{}):             ported(grantS2SKey),
		powershell.ScriptOf(powershell.ExportS2SCertificate{}):    ported(exportS2SCertificate),
		powershell.ScriptOf(powershell.SetS2SCertificateName{}):   ported(setS2SCertificateName),
		powershell.ScriptOf(powershell.SetOfficeHTTPSetting{}):    ported(setOfficeHTTPSetting),
		powershell.ScriptOf(powershell.RestartOfficeServer{}):     ported(restartOfficeServer),
		powershell.ScriptOf(powershell.StartOfficeServer{}):       ported(startOfficeServer),
		powershell.ScriptOf(powershell.GetSharePointFarm{}):       ported(getSharePointFarm),
		powershell.ScriptOf(powershell.SetTrustedIssuer{}):        ported(setTrustedIssuer),
		powershell.ScriptOf(powershell.AddRootAuthority{}):        ported(addRootAuthority),
		powershell.ScriptOf(powershell.GetSharePointServer{}):     ported(getSharePointServer),
		powershell.ScriptOf(powershell.RestartSharePointServer{}): ported(restartSharePointServer),
		powershell.ScriptOf(powershell.InvokeSharePointTask{}):    ported(invokeSharePointTask),

		powershell.ScriptOf(powershell.RestoreTrustedIssuer{}):      ported(restoreTrustedIssuer),
		powershell.ScriptOf(powershell.RestoreS2SCertificateName{}): ported(restoreS2SCertificateName),
		powershell.ScriptOf(powershell.RemoveRootAuthority{}):       ported(removeRootAuthority),
		powershell.ScriptOf(powershell.RevokeS2SKey{}):              ported(revokeS2SKey),
		powershell.ScriptOf(powershell.RemoveS2SCertificate{}):      ported(removeS2SCertificate),
		powershell.ScriptOf(powershell.GetCertificateUse{}):         ported(getCertificateUse),
		powershell.ScriptOf(powershell.SetS2SCertificateArchived{}): ported(setS2SCertificateArchived),
	}
}

// ported decodes parameters as PowerShell binds them: names in either case,
// none that the script does not have.
func ported[P powershell.Params[R], R any](run func(*model.Session, P, [][]byte) (R, error)) script {
	return func(s *model.Session, raw json.RawMessage, secrets [][]byte) (any, error) {
		var params P
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&params); err != nil {
			return nil, &model.Error{
				ID: "NamedParameterNotFound", Message: err.Error(), Category: "InvalidArgument",
				Exception: "System.Management.Automation.ParameterBindingException", HResult: model.InvalidOperation,
			}
		}
		return run(s, params, secrets)
	}
}

// Names lists the scripts that have a port, sorted.
func Names() []string { return slices.Sorted(maps.Keys(ports())) }

// Run does what a script does, through the same operations that its cmdlets
// are, as a process in the session. The error is a *[powershell.ScriptError] when the
// script would refuse, [model.ErrDown] when the machine went down meanwhile.
func Run(s *model.Session, name string, params json.RawMessage, secrets [][]byte) (any, error) {
	run, ok := ports()[name]
	if !ok {
		return nil, fmt.Errorf("script %q is not ported", name)
	}
	s.BeginScript(name)
	defer s.EndProcess()
	result, err := runLocked(s, name, func() (any, error) { return run(s, params, secrets) })
	if refused, ok := errors.AsType[*model.Error](err); ok {
		return nil, &powershell.ScriptError{
			Server: s.Host(), Script: name, ID: refused.ID, Message: refused.Message,
			Category: refused.Category, Exception: refused.Exception, HResult: refused.HResult,
		}
	}
	return result, err
}

// runLocked runs a script with the mutex of its machine, if it changes something.
func runLocked(s *model.Session, name string, run func() (any, error)) (result any, err error) {
	if powershell.IsChanging(name) {
		if err := lockServer(s); err != nil {
			return nil, err
		}
		defer func() { err = cmp.Or(err, s.ReleaseMutex()) }()
	}
	return run()
}

// stopScript is the prelude's Stop-Script: an error of ours.
func stopScript(id, format string, args ...any) error {
	return &model.Error{
		ID: "farmtrust." + id, Message: fmt.Sprintf(format, args...), Category: "InvalidOperation",
		Exception: "System.InvalidOperationException", HResult: model.InvalidOperation,
	}
}
