package powershell

import "context"

// Target is the server a call goes to.
type Target struct {
	// Host is the name in errors and in the server's certificate; Address is
	// host:port to connect to, empty for Host and the default port;
	// Connection names the credentials in the worker's configuration.
	Host, Address, Connection string
}

// Call is one script with its parameters.
type Call struct {
	// Script is the name of the script, without ".ps1".
	Script string
	// Params is marshalled to a JSON object whose keys are the script's
	// parameters. It never holds a secret.
	Params any
	// Secrets are handed to the script as bytes outside any parameter, so
	// that no cmdlet binds and no log records them.
	Secrets [][]byte
	// Warn is called with each text that cmdlets warned of; nil for none.
	Warn func(text string)
}

// Runner runs calls on servers.
type Runner interface {
	// Run runs call on target and decodes its result into result. It blocks until
	// the script ended or ctx is done, in which case the script may still be running
	// on the server. Running it again is safe: a script that changes something waits
	// for that one, see [ServerBusy], and checks the state first. Errors are
	// *[ScriptError] when the script failed and *[TransportError] when the call did
	// not get through.
	Run(ctx context.Context, target Target, call Call, result any) error
}

// Params is implemented by the structs of this package that hold the
// parameters of a script whose result is an R.
type Params[R any] interface {
	scriptName() script[R]
}

// script is the name of a script. The type parameter is the type of its
// result, so that [Run] can infer it from the parameters.
type script[R any] string

// The script of each parameter struct, and the type of its result.
func (AddRootAuthority) scriptName() script[AddRootResult] { return "Add-RootAuthority" }

func (ExportS2SCertificate) scriptName() script[ExportResult]    { return "Export-S2SCertificate" }
func (GetCertificateUse) scriptName() script[CertificateUse]     { return "Get-CertificateUse" }
func (GetOfficeServer) scriptName() script[OfficeServer]         { return "Get-OfficeServer" }
func (GetSharePointFarm) scriptName() script[SharePointFarm]     { return "Get-SharePointFarm" }
func (GetSharePointServer) scriptName() script[SharePointServer] { return "Get-SharePointServer" }
func (GrantS2SKey) scriptName() script[GrantResult]              { return "Grant-S2SKey" }
func (ImportS2SCertificate) scriptName() script[ImportResult]    { return "Import-S2SCertificate" }

func (InvokeSharePointTask) scriptName() script[TaskResult] { return "Invoke-SharePointTask" }

func (RemoveRootAuthority) scriptName() script[RemoveRootResult] { return "Remove-RootAuthority" }

func (RemoveS2SCertificate) scriptName() script[RemoveResult] { return "Remove-S2SCertificate" }

func (RestartOfficeServer) scriptName() script[RestartResult] { return "Restart-OfficeServer" }

func (StartOfficeServer) scriptName() script[StartResult] { return "Start-OfficeServer" }

func (RestartSharePointServer) scriptName() script[RestartResult] { return "Restart-SharePointServer" }

func (RestoreTrustedIssuer) scriptName() script[RestoreIssuerResult] { return "Restore-TrustedIssuer" }
func (RevokeS2SKey) scriptName() script[RevokeResult]                { return "Revoke-S2SKey" }
func (SetOfficeHTTPSetting) scriptName() script[SetSettingResult]    { return "Set-OfficeHttpSetting" }

func (SetS2SCertificateName) scriptName() script[SetNameResult] { return "Set-S2SCertificateName" }
func (SetTrustedIssuer) scriptName() script[SetIssuerResult]    { return "Set-TrustedIssuer" }

func (RestoreS2SCertificateName) scriptName() script[RestoreNameResult] {
	return "Restore-S2SCertificateName"
}

func (SetS2SCertificateArchived) scriptName() script[SetArchivedResult] {
	return "Set-S2SCertificateArchived"
}

// ScriptOf returns the name of the script that takes params.
func ScriptOf[R any](params Params[R]) string { return string(params.scriptName()) }

// SecretCarrier is implemented by parameters that carry secrets.
type SecretCarrier interface {
	// Secrets are handed over outside the JSON parameters, in this order.
	Secrets() [][]byte
}

// Run runs the script that takes params on target and returns its typed result.
// What cmdlets warn of goes to the function of [WithWarnings], and into a
// [ScriptError].
func Run[R any](ctx context.Context, r Runner, target Target, params Params[R]) (R, error) {
	var result R
	call := Call{Script: ScriptOf(params), Params: params}
	if p, ok := params.(SecretCarrier); ok {
		call.Secrets = p.Secrets()
	}
	if warn, ok := ctx.Value(warningsKey{}).(func(server, text string)); ok {
		call.Warn = func(text string) { warn(target.Host, text) }
	}
	err := r.Run(ctx, target, call, &result)
	return result, err
}
