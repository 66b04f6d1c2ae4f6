package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

// script is the model of one script.
type script func(s *Session, params json.RawMessage, secrets [][]byte) (any, error)

// scripts are the models of all scripts, by name.
func scripts() map[string]script {
	return map[string]script{
		powershell.ScriptOf(powershell.GetOfficeServer{}):         modelled(getOfficeServer),
		powershell.ScriptOf(powershell.ImportS2SCertificate{}):    modelled(importS2SCertificate),
		powershell.ScriptOf(powershell.GrantS2SKey{}):             modelled(grantS2SKey),
		powershell.ScriptOf(powershell.ExportS2SCertificate{}):    modelled(exportS2SCertificate),
		powershell.ScriptOf(powershell.SetS2SCertificateName{}):   modelled(setS2SCertificateName),
		powershell.ScriptOf(powershell.SetOfficeHTTPSetting{}):    modelled(setOfficeHTTPSetting),
		powershell.ScriptOf(powershell.RestartOfficeServer{}):     modelled(restartOfficeServer),
		powershell.ScriptOf(powershell.GetSharePointFarm{}):       modelled(getSharePointFarm),
		powershell.ScriptOf(powershell.SetTrustedIssuer{}):        modelled(setTrustedIssuer),
		powershell.ScriptOf(powershell.AddRootAuthority{}):        modelled(addRootAuthority),
		powershell.ScriptOf(powershell.GetSharePointServer{}):     modelled(getSharePointServer),
		powershell.ScriptOf(powershell.RestartSharePointServer{}): modelled(restartSharePointServer),
		powershell.ScriptOf(powershell.InvokeSharePointTask{}):    modelled(invokeSharePointTask),

		powershell.ScriptOf(powershell.RestoreTrustedIssuer{}):      modelled(restoreTrustedIssuer),
		powershell.ScriptOf(powershell.RestoreS2SCertificateName{}): modelled(restoreS2SCertificateName),
		powershell.ScriptOf(powershell.RemoveRootAuthority{}):       modelled(removeRootAuthority),
		powershell.ScriptOf(powershell.RevokeS2SKey{}):              modelled(revokeS2SKey),
		powershell.ScriptOf(powershell.RemoveS2SCertificate{}):      modelled(removeS2SCertificate),
		powershell.ScriptOf(powershell.GetCertificateUse{}):         modelled(getCertificateUse),
		powershell.ScriptOf(powershell.SetS2SCertificateArchived{}): modelled(setS2SCertificateArchived),
	}
}

// modelled decodes parameters as PowerShell binds them: names in either case,
// none that the script does not have.
func modelled[P powershell.Params[R], R any](run func(*Session, P, [][]byte) (R, error)) script {
	return func(s *Session, raw json.RawMessage, secrets [][]byte) (any, error) {
		var params P
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&params); err != nil {
			return nil, &Error{
				ID: "NamedParameterNotFound", Message: err.Error(), Category: "InvalidArgument",
				Exception: "System.Management.Automation.ParameterBindingException", HResult: invalidOperationResult,
			}
		}
		return run(s, params, secrets)
	}
}

// Scripts lists the names of the scripts that have a model, sorted.
func Scripts() []string {
	var names []string
	for name := range scripts() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// RunScript does what a script does, through the same operations that its
// cmdlets are. The error is a *[powershell.ScriptError] when the script would
// say no, [ErrDown] when the machine went down meanwhile.
func (s *Session) RunScript(name string, params json.RawMessage, secrets [][]byte) (any, error) {
	run, ok := scripts()[name]
	if !ok {
		return nil, fmt.Errorf("no model of script %q", name)
	}
	result, err := run(s, params, secrets)
	if refused, ok := errors.AsType[*Error](err); ok {
		return nil, &powershell.ScriptError{
			Server: s.m.Host, Script: name, ID: refused.ID, Message: refused.Message,
			Category: refused.Category, Exception: refused.Exception, HResult: refused.HResult,
		}
	}
	return result, err
}

// stopScript is the prelude's Stop-Script: an error of ours.
func stopScript(id, format string, args ...any) error {
	return invalidOperationOf("farmtrust."+id, fmt.Sprintf(format, args...))
}

func invalidOperationOf(id, message string) *Error {
	e := invalidOperation(id, message)
	e.Category = "InvalidOperation"
	return e
}
