package winrm

import (
	"crypto/rand"
	"encoding/xml"
	"fmt"
	"strings"
	"time"

	"github.com/masterzen/winrm"
	"github.com/masterzen/winrm/soap"
)

const (
	// envelopeSize is the largest envelope that we send and ask for, in bytes:
	// the default of MaxEnvelopeSizekb that Microsoft documents; newer servers
	// have more.
	envelopeSize = 150 << 10
	// sendSize is how many bytes of standard input fit in one envelope: base64
	// makes them a third longer, and the rest of the envelope takes under 4 KiB.
	sendSize = (envelopeSize - 4<<10) / 4 * 3
	// shellIdle is how long the server keeps an idle shell, instead of its
	// default of two hours.
	shellIdle = 3 * time.Minute
)

const (
	shellResource = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd"
	anonymous     = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"
)

// messages builds the messages to one server.
//
// Send, Receive and Delete are masterzen's. In its Create and Command, what must
// differ here is fixed, so these two are composed with its soap package.
type messages struct {
	url        string
	parameters *winrm.Parameters
}

// newMessages addresses messages to url. operation is how long the server may hold
// a request; it is sent in whole seconds, at least one.
func newMessages(url string, operation time.Duration) messages {
	seconds := max(1, int(operation.Seconds()))
	return messages{url: url, parameters: winrm.NewParameters(formatSeconds(seconds), "en-US", envelopeSize)}
}

// createShell asks for a shell, whose ID is in the response. IdleTimeOut, which
// masterzen's message lacks, comes before the streams: MS-WSMV's schema of a
// shell is a sequence.
func (m messages) createShell() *soap.SoapMessage {
	message := soap.NewMessage()
	m.addHeader(message, "http://schemas.xmlsoap.org/ws/2004/09/transfer/Create").
		AddOption(soap.NewHeaderOption("WINRS_NOPROFILE", "FALSE")).
		AddOption(soap.NewHeaderOption("WINRS_CODEPAGE", "65001")). // UTF-8
		Build()
	shell := message.CreateBodyElement("Shell", soap.DOM_NS_WIN_SHELL)
	for _, part := range [][2]string{
		{"IdleTimeOut", formatSeconds(int(shellIdle.Seconds()))},
		{"InputStreams", "stdin"},
		{"OutputStreams", "stdout stderr"},
	} {
		message.CreateElement(shell, part[0], soap.DOM_NS_WIN_SHELL).SetContent(part[1])
	}
	return message
}

// startCommand starts a command in a shell; its ID is in the response.
// WINRS_CONSOLEMODE_STDIN, TRUE in masterzen's message, is for consoles, where
// standard input has no end.
func (m messages) startCommand(shellID, commandLine string) *soap.SoapMessage {
	message := soap.NewMessage()
	m.addHeader(message, soap.NS_WIN_SHELL+"/Command").
		ShellId(escapeText(shellID)).
		AddOption(soap.NewHeaderOption("WINRS_CONSOLEMODE_STDIN", "FALSE")).
		AddOption(soap.NewHeaderOption("WINRS_SKIP_CMD_SHELL", "FALSE")).
		Build()
	line := message.CreateBodyElement("CommandLine", soap.DOM_NS_WIN_SHELL)
	message.CreateElement(line, "Command", soap.DOM_NS_WIN_SHELL).SetContent(escapeText(commandLine))
	return message
}

// sendInput carries a piece of standard input; none follows the last.
func (m messages) sendInput(shellID, commandID string, input []byte, last bool) *soap.SoapMessage {
	return winrm.NewSendInputRequest(m.url, escapeText(shellID), escapeText(commandID), input, last, m.parameters)
}

func (m messages) receiveOutput(shellID, commandID string) *soap.SoapMessage {
	return winrm.NewGetOutputRequest(m.url, escapeText(shellID), escapeText(commandID), "stdout stderr", m.parameters)
}

// deleteShell ends a shell and all that runs in it.
func (m messages) deleteShell(shellID string) *soap.SoapMessage {
	return winrm.NewDeleteShellRequest(m.url, escapeText(shellID), m.parameters)
}

// addHeader begins a message as masterzen's own begin.
func (m messages) addHeader(message *soap.SoapMessage, action string) *soap.SoapHeader {
	return message.Header().
		To(m.url).
		ReplyTo(anonymous).
		MaxEnvelopeSize(m.parameters.EnvelopeSize).
		Timeout(m.parameters.Timeout).
		Id(newMessageID()).
		Locale(m.parameters.Locale).
		Action(action).
		ResourceURI(shellResource)
}

// newMessageID returns a random UUID (RFC 9562, version 4) in the form that
// Windows asks for.
func newMessageID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails, says crypto/rand
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return fmt.Sprintf("uuid:%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// formatSeconds writes a duration in the form of XML Schema.
func formatSeconds(n int) string { return fmt.Sprintf("PT%dS", n) }

// escapeText escapes s for XML: masterzen writes text and attributes unescaped, and
// the server chooses the IDs.
func escapeText(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder never fails
	return b.String()
}
