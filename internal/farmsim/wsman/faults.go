package wsman

import (
	"fmt"
	"slices"
	"strings"
)

// Fault is a SOAP fault, as an answer and as an error of [Host.Run].
type Fault struct {
	// Status is the HTTP status; 0 is 500, which all captures have.
	Status int
	// Subcode is the SOAP subcode with the prefix Windows uses: "w:TimedOut".
	Subcode string
	// Code is the code of the WSManFault element.
	Code    uint32
	Message string
	// Reason is what the code means in general; empty is Message.
	Reason string
	// Detail is the last word of w:FaultDetail, where there is one.
	Detail string
	// Provider is the name of the provider that failed, where one did.
	Provider string
}

func (f *Fault) Error() string {
	return fmt.Sprintf("%s (%d): %s", f.Subcode, f.Code, strings.TrimSpace(f.Message))
}

// The faults of Windows. "Captured" ones are in the recorded traffic that
// pypsrp tests with; "wsmerror.h" gives code, subcode and text; the trailing
// spaces are Windows' own.

// TimedOut says that a Receive found no output in time; clients ask again.
// Captured.
func TimedOut() *Fault {
	return &Fault{
		Subcode: "w:TimedOut", Code: 2150858793,
		Message: "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.  ",
	}
}

// UnknownShell says that there is no such shell. Captured.
func UnknownShell() *Fault {
	return &Fault{
		Subcode: "w:InvalidSelectors", Code: 2150858843, Detail: "UnexpectedSelectors", Provider: "Shell provider",
		Message: "The WS-Management service cannot process the request because the request contained invalid selectors for the resource. ",
	}
}

// UnknownCommand says that the command does not exist or has ended. Captured.
func UnknownCommand() *Fault {
	return &Fault{
		Subcode: "w:InvalidSelectors", Code: 2150858843, Detail: "UnexpectedSelectors", Reason: UnknownShell().Message,
		Message: "The Windows Remote Shell received a request to perform an operation on a command identifier that does not exist. " +
			"Either the command has completed execution or the client specified an invalid command identifier. ",
	}
}

// FileNotFound says that the program of a command does not exist. Captured
// from Windows Server 2008 R2 as the answer to the Command, without cmd.exe in
// between; with it an unknown program is cmd.exe's own message and exit code 1.
func FileNotFound() *Fault {
	return &Fault{
		Subcode: "w:InternalError", Code: 2147942402, Provider: "Shell cmd plugin",
		Message: "The system cannot find the file specified. ",
	}
}

// InvalidParameter says that the shell plugin refused a parameter. Captured
// for a Receive without command; assumed for an empty command line.
func InvalidParameter() *Fault {
	return &Fault{
		Subcode: "w:InvalidParameter", Code: 87, Detail: "InvalidValue", Provider: "Shell cmd plugin",
		Message: "The parameter is incorrect. ",
	}
}

// badTimeout refuses an OperationTimeout. Captured for PT-1S; assumed for
// other texts that are no duration.
func badTimeout(value string) *Fault {
	return &Fault{
		Subcode: "a:InvalidMessageInformationHeader", Code: 2150858767,
		Reason:  "The WS-Management service cannot process the request. The request contains one or more invalid SOAP headers. ",
		Message: "The WS-Management service cannot process the request. The XML contains an invalid timeout field in the SOAP header: " + value + ". ",
	}
}

// AccessDenied says that the user may not do this. Code and subcode are
// documented; where Windows answers it is up to the caller.
func AccessDenied() *Fault {
	return &Fault{Subcode: "w:AccessDenied", Code: 5, Message: "Access is denied. "}
}

// Quota is a limit that a request ran into, by its code in wsmerror.h. All of
// them say [Fault.Subcode] w:QuotaLimit.
type Quota uint32

// The quotas of the service and of its users.
const (
	MaxShells     Quota = 2150859173
	MaxOperations Quota = 2150859174
	UserQuota     Quota = 2150859175
	SystemQuota   Quota = 2150859176
	MaxShellUsers Quota = 2150859179
)

// The per-user quotas of newer Windows ("PPQ").
const (
	MaxShellsPPQ           Quota = 2150859236
	MaxUsersPPQ            Quota = 2150859237
	MaxPluginShellsPPQ     Quota = 2150859238
	MaxPluginOperationsPPQ Quota = 2150859239
	MaxOperationsUserPPQ   Quota = 2150859240
	MaxCommandsPPQ         Quota = 2150859241
	MinimumPPQ             Quota = 2150859242
)

// QuotaLimit says that a quota of the given size is used up. The codes are
// wsmerror.h's; the text is Windows' for MaxOperations (masterzen/winrm #129)
// and assumed to be like it for the rest. Windows sends some quotas as an
// MSFT_WmiError instead of a WSManFault; this never does.
func QuotaLimit(q Quota, size int) *Fault {
	what := map[Quota]string{
		MaxOperations: "operations", MaxOperationsUserPPQ: "operations", MaxPluginOperationsPPQ: "operations",
		MaxCommandsPPQ: "commands in a shell", MaxShellUsers: "users", MaxUsersPPQ: "users",
	}[q]
	if what == "" {
		what = "shells"
	}
	return &Fault{
		Subcode: "w:QuotaLimit", Code: uint32(q),
		Message: fmt.Sprintf("The WS-Management service cannot process the request. This user is allowed a maximum number of %d concurrent %s, "+
			"which has been exceeded. Close existing %[2]s for this user, or raise the quota for this user. ", size, what),
	}
}

// ProfileUnloading says that the user's registry is going away
// (ERROR_KEY_DELETED); a new shell helps. The code is documented, the rest
// assumed.
func ProfileUnloading() *Fault {
	return &Fault{
		Subcode: "w:InternalError", Code: 2147943418,
		Message: "Illegal operation attempted on a registry key that has been marked for deletion. ",
	}
}

// FaultOf is the fault that Windows answers with a code of wsmerror.h; one that
// is not known here has the code and nothing else of Windows'.
func FaultOf(code uint32) *Fault {
	known := []*Fault{TimedOut(), UnknownShell(), AccessDenied(), Busy(), Aborted(), ProfileUnloading()}
	if at := slices.IndexFunc(known, func(f *Fault) bool { return f.Code == code }); at >= 0 {
		return known[at]
	}
	if code >= uint32(MaxShells) && code <= uint32(MaxShellUsers) || code >= uint32(MaxShellsPPQ) && code <= uint32(MinimumPPQ) {
		return QuotaLimit(Quota(code), defaultMaxShells)
	}
	return &Fault{Subcode: "w:InternalError", Code: code, Message: "The simulated server was told to answer this fault. "}
}

// Busy says that the command does not take more input now (ERROR_BUSY);
// ansible sends it again. The code is sourced from there, the rest assumed.
func Busy() *Fault {
	return &Fault{Subcode: "w:InternalError", Code: 170, Message: "The requested resource is in use. "}
}

// Aborted says that the operation was given up while it waited. Code and text
// are Windows' (WinRM gem #265); that a Receive meets it when its command or
// shell goes is assumed, and so is the subcode.
func Aborted() *Fault {
	return &Fault{
		Subcode: "w:InternalError", Code: 995,
		Message: "The I/O operation has been aborted because of either a thread exit or an application request. ",
	}
}

// InternalError is the answer to an error of the host that is no fault of
// Windows' (assumed: E_FAIL).
func InternalError(err error) *Fault {
	return &Fault{Subcode: "w:InternalError", Code: 2147500037, Provider: "Shell cmd plugin", Message: err.Error()}
}

// unknownResource: code and text from Windows (pypsrp #192), subcode assumed
// after wsmerror.h's neighbours.
func unknownResource(uri string) *Fault {
	return &Fault{
		Subcode: "a:DestinationUnreachable", Code: 2150858811, Detail: "InvalidResourceURI",
		Message: "The WS-Management service cannot process the request. The resource URI (" + uri + ") was not found in the WS-Management catalog. " +
			"The catalog contains the metadata that describes resources, or logical endpoints. ",
	}
}

// unknownAction: wsmerror.h ERROR_WSMAN_ACTION_MISMATCH; seen on Windows in
// ansible #32531 for an Enumerate that a resource does not have.
func unknownAction() *Fault {
	return &Fault{
		Subcode: "w:ActionMismatch", Code: 2150858801,
		Message: "The WS-Management service cannot process the request because the WS-Addressing Action URI in the request is not compatible with the resource. ",
	}
}

// invalidXML: wsmerror.h ERROR_WSMAN_SCHEMA_VALIDATION_ERROR (assumed to be
// the answer to all that cannot be read).
func invalidXML() *Fault {
	return &Fault{
		Subcode: "w:SchemaValidationError", Code: 2150858817,
		Message: "The SOAP XML in the message does not match the corresponding XML schema definition. Change the XML and retry. ",
	}
}

// httpStatus is the HTTP status.
func (f *Fault) httpStatus() int {
	if f.Status == 0 {
		return 500
	}
	return f.Status
}

// faultOrigin is who is to blame, by subcode: wsmerror.h has the receiver for these
// two and the sender for all others we answer.
func (f *Fault) faultOrigin() string {
	if f.Subcode == "w:TimedOut" || f.Subcode == "w:InternalError" {
		return "s:Receiver"
	}
	return "s:Sender"
}

// faultEnvelope writes the fault as an answer to r, in the form of the captures.
func (f *Fault) faultEnvelope(r *request, machine string) []byte {
	message, reason := escape(f.Message), escape(f.Reason)
	if reason == "" {
		reason = message
	}
	inner := message
	if f.Provider != "" {
		inner = `<f:ProviderFault provider="` + escape(f.Provider) + `">` + message + `</f:ProviderFault>`
	}
	detail := ""
	if f.Detail != "" {
		detail = `<w:FaultDetail>http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/` + escape(f.Detail) + `</w:FaultDetail>`
	}
	return r.replyEnvelope(actionFault, fmt.Sprintf(`<s:Fault><s:Code><s:Value>%s</s:Value><s:Subcode><s:Value>%s</s:Value></s:Subcode></s:Code>`+
		`<s:Reason><s:Text xml:lang="en-US">%s</s:Text></s:Reason><s:Detail>%s`+
		`<f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="%d" Machine="%s"><f:Message>%s</f:Message></f:WSManFault>`+
		`</s:Detail></s:Fault>`, f.faultOrigin(), escape(f.Subcode), reason, detail, f.Code, escape(machine), inner))
}
