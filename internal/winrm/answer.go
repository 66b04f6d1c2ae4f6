package winrm

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// shellNS is the namespace of shells and commands [MS-WSMV 2.2.1].
const shellNS = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"

// answer is what a SOAP envelope from a server says.
type answer struct {
	// size is the length of the envelope.
	size int
	// fault is nil when the request was carried out.
	fault *fault
	// shell and command are the identifiers of what a request made.
	shell, command string
	// stdout and stderr are the output that a Receive brought.
	stdout, stderr []byte
	// done says that the command ended, and exit how.
	done bool
	exit int
}

// progress says that a Receive brought output, or the command's end.
func (a answer) progress() bool { return a.done || len(a.stdout)+len(a.stderr) > 0 }

// envelope is the part of a SOAP 1.2 envelope that is read.
type envelope struct {
	XMLName xml.Name `xml:"http://www.w3.org/2003/05/soap-envelope Envelope"`
	Body    struct {
		Fault   *faultElement `xml:"http://www.w3.org/2003/05/soap-envelope Fault"`
		Shell   string        `xml:"http://schemas.microsoft.com/wbem/wsman/1/windows/shell Shell>ShellId"`
		Command string        `xml:"http://schemas.microsoft.com/wbem/wsman/1/windows/shell CommandResponse>CommandId"`
		Receive struct {
			Streams []stream `xml:"Stream"`
			State   struct {
				State string `xml:"State,attr"`
				Exit  string `xml:"ExitCode"`
			} `xml:"CommandState"`
		} `xml:"http://schemas.microsoft.com/wbem/wsman/1/windows/shell ReceiveResponse"`
	} `xml:"http://www.w3.org/2003/05/soap-envelope Body"`
}

// stream is a piece of output.
type stream struct {
	Name string `xml:"Name,attr"`
	Data string `xml:",chardata"`
}

// readAnswer decodes a server's envelope, to its end.
func readAnswer(body string) (answer, error) {
	decoder := xml.NewDecoder(strings.NewReader(body))
	var e envelope
	if err := decoder.Decode(&e); err != nil {
		return answer{}, fmt.Errorf("read SOAP envelope: %w", err)
	}
	if err := nothingFollows(decoder); err != nil {
		return answer{}, fmt.Errorf("read SOAP envelope: %w", err)
	}
	a := answer{size: len(body), shell: strings.TrimSpace(e.Body.Shell), command: strings.TrimSpace(e.Body.Command)}
	if f := e.Body.Fault; f != nil {
		a.fault = f.decode()
	}
	return a, a.readOutput(e.Body.Receive.Streams, e.Body.Receive.State.State, strings.TrimSpace(e.Body.Receive.State.Exit))
}

// readOutput reads what a Receive brought.
func (a *answer) readOutput(streams []stream, state, exit string) error {
	for _, s := range streams {
		data, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s.Data))
		switch {
		case err != nil:
			return fmt.Errorf("read output: %w", err)
		case s.Name == "stdout":
			a.stdout = append(a.stdout, data...)
		case s.Name == "stderr":
			a.stderr = append(a.stderr, data...)
		}
	}
	a.done = strings.HasSuffix(state, "/Done")
	if !a.done || exit == "" {
		return nil
	}
	code, err := strconv.Atoi(exit)
	if err != nil {
		return fmt.Errorf("read exit code: %w", err)
	}
	a.exit = code
	return nil
}

func nothingFollows(decoder *xml.Decoder) error {
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if text, ok := token.(xml.CharData); !ok || strings.TrimSpace(string(text)) != "" {
			return errors.New("something follows the envelope")
		}
	}
}

// retell is the answer to action in as few words as masterzen reads. Nothing
// that a server wrote reaches masterzen's parser, which builds a tree of all
// elements, each with all namespaces in scope, and searches it by XPath: some
// ten kilobytes of them keep it busy for a minute, or take all memory.
func (a answer) retell(action string) string {
	full := shellNS + strings.TrimPrefix(action, "/shell")
	if action == createAction {
		full = "http://schemas.xmlsoap.org/ws/2004/09" + action
	}
	state := "Running"
	if a.done {
		state = "Done"
	}
	encode := base64.StdEncoding.EncodeToString
	return `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:rsp="` +
		shellNS + `"><s:Header><a:Action>` + full + `Response</a:Action></s:Header><s:Body><rsp:ShellId>` + escape(a.shell) +
		`</rsp:ShellId><rsp:CommandId>` + escape(a.command) + `</rsp:CommandId><rsp:Stream Name="stdout">` + encode(a.stdout) +
		`</rsp:Stream><rsp:Stream Name="stderr">` + encode(a.stderr) + `</rsp:Stream><rsp:CommandState State="` + shellNS + `/CommandState/` +
		state + `"><rsp:ExitCode>` + strconv.Itoa(a.exit) + `</rsp:ExitCode></rsp:CommandState></s:Body></s:Envelope>`
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder never fails
	return b.String()
}
