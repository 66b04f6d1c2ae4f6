package winrm

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

// The fault codes that matter here, as WSManFault and Win32 number them.
// Sources: wsmerror.h; captures of Windows servers in pypsrp; Ansible's winrm
// connection for 170 and 2150859174.
const (
	codeAccessDenied   = 5          // ERROR_ACCESS_DENIED
	codeBusy           = 170        // ERROR_BUSY
	codeKeyDeleted     = 2147943418 // ERROR_KEY_DELETED: the user's profile is being unloaded
	codeTimedOut       = 2150858793 // OperationTimeout: no output yet
	codeNoSuchShell    = 2150858843 // shell or command unknown
	codeMaxShells      = 2150859173
	codeMaxOperations  = 2150859174
	codeMaxUserOps     = 2150859175
	codeMaxSystemOps   = 2150859176
	codeMaxShellUsers  = 2150859179
	codeFirstUserQuota = 2150859236 // the first and the last of the per-user policy quotas
	codeLastUserQuota  = 2150859242
)

// maxReason bounds a server's text in our errors, in characters.
const maxReason = 300

// fault is a SOAP fault.
type fault struct {
	code    uint32
	subcode string
	reason  string
}

func (f *fault) Error() string {
	return fmt.Sprintf("WS-Management fault %d (%s): %s", f.code, f.subcode, f.reason)
}

type faultElement struct {
	Code struct {
		Value   string `xml:"Value"`
		Subcode struct {
			Value string `xml:"Value"`
		} `xml:"Subcode"`
	} `xml:"Code"`
	Reason []string `xml:"Reason>Text"`
	Detail struct {
		WSMan struct {
			Code string `xml:"Code,attr"`
			// Message is more to the point than Reason, and may be wrapped in
			// elements of the provider that failed.
			Message allText `xml:"Message"`
		} `xml:"http://schemas.microsoft.com/wbem/wsman/1/wsmanfault WSManFault"`
		// Some quota faults carry their code only here.
		WMI struct {
			Code string `xml:"error_Code"`
		} `xml:"MSFT_WmiError"`
	} `xml:"Detail"`
}

// allText is the text of an element and of all elements in it, as far as a
// reason can be long.
type allText string

// UnmarshalXML implements [xml.Unmarshaler].
func (a *allText) UnmarshalXML(decoder *xml.Decoder, _ xml.StartElement) error {
	for depth := 1; depth > 0; {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		switch token := token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		case xml.CharData:
			if len(*a) < maxReason*utf8.UTFMax { // more is not shown
				*a += allText(token)
			}
		}
	}
	return nil
}

func (f *faultElement) toFault() *fault {
	subcode := f.Code.Subcode.Value
	if subcode == "" {
		subcode = f.Code.Value
	}
	code := parseFaultCode(f.Detail.WSMan.Code)
	if code == 0 {
		code = parseFaultCode(f.Detail.WMI.Code)
	}
	reason := printableText(string(f.Detail.WSMan.Message))
	if reason == "" {
		reason = printableText(strings.Join(f.Reason, " "))
	}
	return &fault{code: code, subcode: localName(subcode), reason: reason}
}

// parseFaultCode returns 0 for what is not a 32-bit number.
func parseFaultCode(s string) uint32 {
	code, err := strconv.ParseUint(strings.TrimSpace(s), 10, 32)
	if err != nil {
		return 0
	}
	return uint32(code)
}

// localName returns a qualified name without its prefix, which each server
// chooses.
func localName(name string) string {
	name = printableText(name)
	return name[strings.LastIndexByte(name, ':')+1:]
}

// printableText returns s on one line, without control characters, of bounded length.
func printableText(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		default:
			return r
		}
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > maxReason {
		s = string(runes[:maxReason]) + "..."
	}
	return s
}

// isTimeout reports whether the server held a request as long as it was asked
// to and has nothing to say yet.
func (f *fault) isTimeout() bool { return f.code == codeTimedOut || f.subcode == "TimedOut" }

// errorKind classifies a fault; it is empty for those without a meaning of their own.
func (f *fault) errorKind() powershell.Kind {
	switch f.code {
	case codeAccessDenied:
		return powershell.Forbidden
	case codeBusy, codeKeyDeleted, codeTimedOut:
		return powershell.Busy
	case codeNoSuchShell:
		return powershell.Interrupted
	case codeMaxShells, codeMaxOperations, codeMaxUserOps, codeMaxSystemOps, codeMaxShellUsers:
		return powershell.Quota
	}
	if f.code >= codeFirstUserQuota && f.code <= codeLastUserQuota {
		return powershell.Quota
	}
	switch f.subcode {
	case "AccessDenied":
		return powershell.Forbidden
	case "QuotaLimit":
		return powershell.Quota
	case "TimedOut":
		return powershell.Busy
	case "InvalidSelectors":
		return powershell.Interrupted
	default:
		return ""
	}
}
