package winrm

import (
	"encoding/xml"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// Whatever a server sends ends as a response, a fault or an error, and the IDs
// that it chose come back to it as they were.
func FuzzReadResponse(f *testing.F) {
	const head = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd">`
	for _, seed := range []string{
		"", "<", "<a/>", head + `<s:Body/></s:Envelope>`, head + `<s:Body/></s:Envelope><a/>`,
		head + `<s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>w:InvalidSelectors</s:Value></s:Subcode></s:Code>` +
			`<s:Reason><s:Text xml:lang="en-US">No such shell. </s:Text></s:Reason><s:Detail>` +
			`<f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="2150858843" Machine="oos-01"><f:Message/></f:WSManFault>` +
			`</s:Detail></s:Fault></s:Body></s:Envelope>`,
		head + `<s:Body><s:Fault><s:Detail><p:MSFT_WmiError xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/windows/shell">` +
			`<p:error_Code>2150859174</p:error_Code></p:MSFT_WmiError></s:Detail></s:Fault></s:Body></s:Envelope>`,
		head + `<s:Body><rsp:ReceiveResponse xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell">` +
			`<rsp:Stream Name="stdout">aGVsbG8=</rsp:Stream><rsp:CommandState State="x/Done"><rsp:ExitCode>0</rsp:ExitCode>` +
			`</rsp:CommandState></rsp:ReceiveResponse></s:Body></s:Envelope>`,
		head + `<s:Body><rsp:Shell xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell"><rsp:ShellId>a&lt;b&#13;</rsp:ShellId></rsp:Shell>` +
			`<rsp:CommandResponse xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell"><rsp:CommandId>]]&gt;</rsp:CommandId>` +
			`</rsp:CommandResponse></s:Body></s:Envelope>`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		r, err := readResponse([]byte(body))
		if err != nil {
			return
		}
		if r.fault != nil {
			if text := r.fault.Error(); strings.ContainsAny(text, "\r\n\x1b") || utf8.RuneCountInString(text) > 3*maxReason {
				t.Errorf("a server writes our errors: %q", text)
			}
			_ = r.fault.errorKind()
		}
		want := repeatedIDs{Selector: r.shellID}
		want.Stream.CommandID, want.Stream.End = r.commandID, "true"
		var got repeatedIDs
		if err := xml.Unmarshal([]byte(testMessages.sendInput(r.shellID, r.commandID, []byte("x"), true).String()), &got); err != nil {
			t.Errorf("IDs break the message: %v", err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// repeatedIDs is what a message to send input says of its shell and command.
type repeatedIDs struct {
	Selector string `xml:"Header>SelectorSet>Selector"`
	Stream   struct {
		CommandID string `xml:"CommandId,attr"`
		End       string `xml:"End,attr"`
	} `xml:"Body>Send>Stream"`
}
