package powershell

// The IDs of farmtrust's own errors ([ScriptError].ID). Those of Windows and the
// products never begin with "farmtrust.".
const (
	// NotElevated: the account runs without administrator rights.
	NotElevated = "farmtrust.NotElevated"
	// Not64Bit: the remote shell started a 32-bit PowerShell.
	Not64Bit = "farmtrust.Not64Bit"
	// ServerBusy: another script of ours changes something on the server, or began to
	// and does not end. Nothing was done.
	ServerBusy = "farmtrust.ServerBusy"
	// NoResult: a script did not return one result with a JSON form, a defect of
	// farmtrust.
	NoResult = "farmtrust.NoResult"

	// CertificateNotFound: the certificate is not in the Personal store.
	CertificateNotFound = "farmtrust.CertificateNotFound"
	// WrongCertificate: the PFX contains another certificate, or another one has
	// the friendly name.
	WrongCertificate = "farmtrust.WrongCertificate"
	// PfxRefused: Windows cannot open the PFX.
	PfxRefused = "farmtrust.PfxRefused"
	// NameDiffers: the certificate is there, with another friendly name.
	NameDiffers = "farmtrust.NameDiffers"
	// AmbiguousFriendlyName: another certificate has the friendly name too.
	AmbiguousFriendlyName = "farmtrust.AmbiguousFriendlyName"
	// ProviderNotApplied: the key went to another cryptographic provider.
	ProviderNotApplied = "farmtrust.ProviderNotApplied"
	// KeyMissing: there is no private key, or none that can be opened.
	KeyMissing = "farmtrust.KeyMissing"
	// KeyFileNotFound: none of the folders of machine keys has the key.
	KeyFileNotFound = "farmtrust.KeyFileNotFound"
	// KeyDenied: an access entry on the key file denies the account.
	KeyDenied = "farmtrust.KeyDenied"
	// KeyModernOnly: the key signs by CNG alone, which Office Online Server is not
	// known to use.
	KeyModernOnly = "farmtrust.KeyModernOnly"
	// KeyDoesNotSign: the account cannot sign with the key.
	KeyDoesNotSign = "farmtrust.KeyDoesNotSign"
	// ProofUnavailable: the task that tests the key did not run to its end.
	ProofUnavailable = "farmtrust.ProofUnavailable"

	// NotOffice: Office Online Server is not installed.
	NotOffice = "farmtrust.NotOffice"
	// NotJoined: the machine is in no Office Online Server farm.
	NotJoined = "farmtrust.NotJoined"
	// NotMaster: another machine is the farm's master; the message names it.
	NotMaster = "farmtrust.NotMaster"
	// SettingNotKept: a setting did not have the new value after it was set.
	SettingNotKept = "farmtrust.SettingNotKept"
	// IisResetFailed: iisreset ended with an error, or W3SVC or WAS do not run
	// after it.
	IisResetFailed = "farmtrust.IisResetFailed"
	// ServiceNotRunning: a service does not start, or stopped again; the message
	// names it and has the last errors of the event logs.
	ServiceNotRunning = "farmtrust.ServiceNotRunning"

	// NotSharePoint: SharePoint, or its cmdlets, are not installed.
	NotSharePoint = "farmtrust.NotSharePoint"
	// SecondHop: the session cannot reach the farm's configuration database,
	// because its logon carries no credentials for SQL Server.
	SecondHop = "farmtrust.SecondHop"
	// NoFarmAccess: SQL Server knows the account and refuses it.
	NoFarmAccess = "farmtrust.NoFarmAccess"
	// SqlUnavailable: SQL Server, or the configuration database, is away.
	SqlUnavailable = "farmtrust.SqlUnavailable"
	// FarmUnreachable: the farm cannot be reached, and nothing that can be seen
	// shows why.
	FarmUnreachable = "farmtrust.FarmUnreachable"
	// IssuerAmbiguous: several issuers have the registered name.
	IssuerAmbiguous = "farmtrust.IssuerAmbiguous"
	// NameTaken: another issuer or root authority has the configured name.
	NameTaken = "farmtrust.NameTaken"
	// ChangedSince: a value is neither the one that the rotation set nor the one
	// before it.
	ChangedSince = "farmtrust.ChangedSince"
	// InUse: something still names the certificate; the message lists it.
	InUse = "farmtrust.InUse"
	// NotPublic: a parameter is not one certificate without a key.
	NotPublic = "farmtrust.NotPublic"

	// TaskMissing: the SharePoint task is not installed, or disabled.
	TaskMissing = "farmtrust.TaskMissing"
	// TaskVersion: the task's script is not of this worker's version.
	TaskVersion = "farmtrust.TaskVersion"
	// TaskFailed: the task ended without a valid result.
	TaskFailed = "farmtrust.TaskFailed"
	// TaskTimeout: the task wrote no result in time.
	TaskTimeout = "farmtrust.TaskTimeout"
	// TaskRefused: the task's script rejected the request.
	TaskRefused = "farmtrust.TaskRefused"

	// AppPrincipalMissing: the site has no app principal of the issuer.
	AppPrincipalMissing = "farmtrust.AppPrincipalMissing"
)

// UpdateConflict is the [ScriptError].Exception of a SharePoint cmdlet that
// conflicted with another change. The script may be run again.
// Source: SharePoint server object model, SPUpdatedConcurrencyException.
const UpdateConflict = "Microsoft.SharePoint.Administration.SPUpdatedConcurrencyException"

var remedies = map[string]string{
	ServiceNotRunning:     "remove the cause that the errors name, start the service, then retry",
	SqlUnavailable:        "nothing, if a failover is under way: it is tried again; else start SQL Server, then retry",
	NoFarmAccess:          "add the account with Add-SPShellAdmin to the configuration database and to the content databases of the configured sites",
	FarmUnreachable:       "look at SQL Server and its error log, at the account's rights (Add-SPShellAdmin) and at the second hop (docs/second-hop.md)",
	KeyModernOnly:         "remove the certificate with its key and let farmtrust import it, or import it into a cryptographic service provider",
	NotElevated:           "use a domain account in the server's Administrators group, or set LocalAccountTokenFilterPolicy to 1 for a local one",
	Not64Bit:              "remove the 32-bit configuration of the remote shell; it must start the 64-bit PowerShell",
	ServerBusy:            "nothing: it is tried again until that step has ended; if it never ends, end its process on the server",
	NoResult:              "report this error with the product versions of the server",
	CertificateNotFound:   "run the rotation again: it imports what is missing",
	WrongCertificate:      "check which certificate is intended: thumbprint, PFX and friendly name do not match",
	PfxRefused:            "check the password; for Windows Server 2016 the PFX must be encrypted with 3DES and SHA-1",
	NameDiffers:           "configure the friendly name that the certificate has, or use another certificate; it is never renamed",
	AmbiguousFriendlyName: "give the other certificate another friendly name, or remove it if nothing uses it",
	ProviderNotApplied:    "use a PFX that names the provider in its key's attributes",
	KeyMissing:            "remove the certificate from the Personal store and run the rotation again",
	KeyFileNotFound:       "keep the key in a software provider of the machine; keys in hardware or in a profile cannot be granted",
	KeyDenied:             "remove the entry that denies the account from the key's permissions",
	KeyDoesNotSign:        "check the key's permissions and provider; if the key is damaged, import the certificate again",
	ProofUnavailable:      "check why scheduled tasks do not run on the server, or set proveKeyAs: administrator",
	NotOffice:             "check that the server is an office server and that Office Online Server is installed",
	NotJoined:             "join the machine to the Office Online Server farm, or remove it from the configuration",
	NotMaster:             "run the rotation again: it determines the master again",
	SettingNotKept:        "check whether another tool, such as Desired State Configuration, reverts the setting",
	IisResetFailed:        "find out why W3SVC or WAS does not run, start IIS with iisreset /start, then retry",
	NotSharePoint:         "check that the server is a SharePoint server of a supported version",
	SecondHop:             "SQL Server runs on another machine: install the SharePoint task and set runAs: task (see docs/second-hop.md)",
	IssuerAmbiguous:       "remove the unwanted issuers, so that one has the registered name",
	NameTaken:             "configure another issuer name, or rename the issuer or root authority that has it",
	ChangedSince:          "decide which value is right, set it manually, then retry",
	InUse:                 "configure what uses it to use another certificate first",
	NotPublic:             "check which certificate is intended: it must be one X.509 certificate in DER, without a key",
	TaskMissing:           "install the SharePoint task on the front end (see docs/second-hop.md), or set runAs: direct",
	TaskVersion:           "sign and install the SharePoint task's script of this worker's version (see docs/second-hop.md)",
	TaskFailed:            "check on the front end that the script's signature is valid, its publisher is trusted, and the account may log on as a batch job",
	TaskTimeout:           "check what the scheduled task farmtrust-sharepoint does on the front end",
	TaskRefused:           "report this error: the worker and the SharePoint task do not agree",
	AppPrincipalMissing:   "check that the App Management and Subscription Settings service applications run and that the site is correct",
}

// Remedy returns what an operator can do about one of farmtrust's own errors, or an
// empty text for an ID that is not one of these.
func Remedy(id string) string { return remedies[id] }
