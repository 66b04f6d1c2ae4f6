package powershell

// The identities of our own scripts' errors ([ScriptError].ID). Those of
// Windows and the products are different: they never begin with "farmtrust.".
const (
	// NotElevated: the account runs without administrator rights.
	NotElevated = "farmtrust.NotElevated"
	// Not64Bit: the remote shell started a 32-bit PowerShell.
	Not64Bit = "farmtrust.Not64Bit"
	// NoResult: a script broke its own contract; a fault of ours.
	NoResult = "farmtrust.NoResult"

	// CertificateNotFound: the certificate is not in the Personal store.
	CertificateNotFound = "farmtrust.CertificateNotFound"
	// WrongCertificate: the PFX, or the friendly name, means another one.
	WrongCertificate = "farmtrust.WrongCertificate"
	// PfxRefused: Windows cannot open the PFX.
	PfxRefused = "farmtrust.PfxRefused"
	// NameDiffers: the certificate is there under another friendly name.
	NameDiffers = "farmtrust.NameDiffers"
	// AmbiguousFriendlyName: another certificate has the friendly name too.
	AmbiguousFriendlyName = "farmtrust.AmbiguousFriendlyName"
	// ProviderNotApplied: another cryptographic provider took the key.
	ProviderNotApplied = "farmtrust.ProviderNotApplied"
	// KeyMissing: there is no private key, or none that can be opened.
	KeyMissing = "farmtrust.KeyMissing"
	// KeyFileNotFound: the key is in none of the folders of machine keys.
	KeyFileNotFound = "farmtrust.KeyFileNotFound"
	// KeyDenied: an entry on the key file denies the account.
	KeyDenied = "farmtrust.KeyDenied"
	// KeyDoesNotSign: the account cannot sign with the key.
	KeyDoesNotSign = "farmtrust.KeyDoesNotSign"
	// ProofUnavailable: the task that is to sign did not run to its end.
	ProofUnavailable = "farmtrust.ProofUnavailable"

	// NotOffice: Office Online Server is not installed.
	NotOffice = "farmtrust.NotOffice"
	// NotJoined: the machine is in no Office Online Server farm.
	NotJoined = "farmtrust.NotJoined"
	// NotMaster: another machine is the farm's master; the message names it.
	NotMaster = "farmtrust.NotMaster"
	// SettingNotKept: a setting reads back otherwise than it was set.
	SettingNotKept = "farmtrust.SettingNotKept"
	// IisResetFailed: iisreset ended with an error.
	IisResetFailed = "farmtrust.IisResetFailed"

	// NotSharePoint: SharePoint, or its cmdlets, are not installed.
	NotSharePoint = "farmtrust.NotSharePoint"
	// SecondHop: the farm's configuration database cannot be reached from
	// the remote session: no delegation, or no rights.
	SecondHop = "farmtrust.SecondHop"
	// IssuerAmbiguous: several issuers have the registered name.
	IssuerAmbiguous = "farmtrust.IssuerAmbiguous"
	// NameTaken: an issuer or a root authority with the configured name
	// exists and is another one.
	NameTaken = "farmtrust.NameTaken"
	// ChangedSince: a value is neither the rotation's nor the one before it.
	ChangedSince = "farmtrust.ChangedSince"
	// InUse: something still names the certificate; the message lists it.
	InUse = "farmtrust.InUse"
	// NotPublic: what should be one certificate without a key is not.
	NotPublic = "farmtrust.NotPublic"

	// TaskMissing: the SharePoint task is not installed, or disabled.
	TaskMissing = "farmtrust.TaskMissing"
	// TaskVersion: the task's script is not the one that this worker knows.
	TaskVersion = "farmtrust.TaskVersion"
	// TaskFailed: the task ended without a proper answer.
	TaskFailed = "farmtrust.TaskFailed"
	// TaskTimeout: the task did not answer in time.
	TaskTimeout = "farmtrust.TaskTimeout"
	// TaskRefused: the task's script refused the request.
	TaskRefused = "farmtrust.TaskRefused"

	// AppPrincipalMissing: the site knows no app principal of the issuer.
	AppPrincipalMissing = "farmtrust.AppPrincipalMissing"
)

// UpdateConflict is the [ScriptError].Exception of a SharePoint cmdlet that
// met somebody else's change; after looking again it may be repeated.
// Source: SharePoint server object model, SPUpdatedConcurrencyException.
const UpdateConflict = "Microsoft.SharePoint.Administration.SPUpdatedConcurrencyException"

var remedies = map[string]string{
	NotElevated:           "use a domain account in the server's Administrators group, or set LocalAccountTokenFilterPolicy to 1 for a local one",
	Not64Bit:              "remove the 32-bit configuration of the remote shell; it must start the 64-bit PowerShell",
	NoResult:              "report this error with the product versions of the server",
	CertificateNotFound:   "run the rotation again: it imports what is missing",
	WrongCertificate:      "see which certificate is meant: thumbprint, PFX and friendly name do not belong together",
	PfxRefused:            "check the password; for Windows Server 2016 the PFX must be encrypted with 3DES and SHA-1",
	NameDiffers:           "configure the friendly name that the certificate has, or use another certificate; it is never renamed",
	AmbiguousFriendlyName: "give the other certificate another friendly name, or remove it if nothing uses it",
	ProviderNotApplied:    "use a PFX that names the provider in its key's attributes",
	KeyMissing:            "remove the certificate from the Personal store and run the rotation again",
	KeyFileNotFound:       "keep the key in a software provider of the machine; keys in hardware or in a profile cannot be granted",
	KeyDenied:             "remove the entry that denies the account from the key's permissions",
	KeyDoesNotSign:        "check the key's permissions and provider; if the key is damaged, import the certificate again",
	ProofUnavailable:      "see why scheduled tasks do not run on the server, or set the proof of the key to administrator",
	NotOffice:             "see that the server is an office server and Office Online Server is installed",
	NotJoined:             "join the machine to the Office Online Server farm, or take it out of the configuration",
	NotMaster:             "run the rotation again: it looks for the master anew",
	SettingNotKept:        "see whether another tool sets it back, such as Desired State Configuration",
	IisResetFailed:        "run iisreset on the server and see what it says",
	NotSharePoint:         "see that the server is a SharePoint server of a supported version",
	SecondHop:             "let the front end delegate to SQL Server, or install the SharePoint task and set runAs: task (docs/second-hop.md says how); and see that the account is a SharePoint shell administrator",
	IssuerAmbiguous:       "remove the issuers that are not wanted, until one has the registered name",
	NameTaken:             "configure another issuer name, or rename what holds it",
	ChangedSince:          "decide which value is right and set it by hand, then retry",
	InUse:                 "see what uses it, and let that use another certificate first",
	NotPublic:             "see which certificate is meant: it must be one X.509 certificate in DER, without a key",
	TaskMissing:           "install the SharePoint task on the front end, as docs/second-hop.md says, or set runAs: direct",
	TaskVersion:           "sign and install the SharePoint task's script of this worker's version, as docs/second-hop.md says",
	TaskFailed:            "see on the front end that the script's signature is valid, its publisher trusted, and the account allowed to log on as a batch job",
	TaskTimeout:           "see what the scheduled task farmtrust-sharepoint does on the front end",
	TaskRefused:           "report this error: the worker and the SharePoint task do not agree",
	AppPrincipalMissing:   "see that the App Management and Subscription Settings service applications run and the site is right",
}

// Remedy says what to do about an error of our own scripts, or is empty for
// an identity that is not ours.
func Remedy(id string) string { return remedies[id] }
