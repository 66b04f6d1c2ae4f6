package wsman

import (
	"bytes"
	"crypto/rand"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Names of the protocol [MS-WSMV 2.2, DSP0226], as captures spell them.
const (
	actionCreate  = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Create"
	actionDelete  = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Delete"
	actionGet     = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Get"
	actionCommand = shellNS + "/Command"
	actionSend    = shellNS + "/Send"
	actionReceive = shellNS + "/Receive"
	actionSignal  = shellNS + "/Signal"
	actionFault   = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"

	shellNS        = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
	shellResource  = shellNS + "/cmd"
	configResource = "http://schemas.microsoft.com/wbem/wsman/1/config"
	anonymous      = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"
	stateRunning   = shellNS + "/CommandState/Running"
	stateDone      = shellNS + "/CommandState/Done"

	soapType = "application/soap+xml;charset=UTF-8"
)

// request is what is read of an envelope. Elements count by namespace, so that
// clients may name their prefixes as they like.
type request struct {
	XMLName xml.Name `xml:"http://www.w3.org/2003/05/soap-envelope Envelope"`
	Header  struct {
		Action    string     `xml:"http://schemas.xmlsoap.org/ws/2004/08/addressing Action"`
		MessageID string     `xml:"http://schemas.xmlsoap.org/ws/2004/08/addressing MessageID"`
		Resource  string     `xml:"http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd ResourceURI"`
		Timeout   string     `xml:"http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd OperationTimeout"`
		MaxSize   string     `xml:"http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd MaxEnvelopeSize"`
		Selectors []selector `xml:"http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd SelectorSet>Selector"`
		Options   []selector `xml:"http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd OptionSet>Option"`
	} `xml:"http://www.w3.org/2003/05/soap-envelope Header"`
	Body struct {
		Shell struct {
			IdleTimeout string `xml:"IdleTimeOut"`
			Input       string `xml:"InputStreams"`
			Output      string `xml:"OutputStreams"`
		} `xml:"http://schemas.microsoft.com/wbem/wsman/1/windows/shell Shell"`
		CommandLine struct {
			ID        string   `xml:"CommandId,attr"`
			Command   string   `xml:"Command"`
			Arguments []string `xml:"Arguments"`
		} `xml:"http://schemas.microsoft.com/wbem/wsman/1/windows/shell CommandLine"`
		Streams []stream `xml:"http://schemas.microsoft.com/wbem/wsman/1/windows/shell Send>Stream"`
		Desired struct {
			CommandID string `xml:"CommandId,attr"`
		} `xml:"http://schemas.microsoft.com/wbem/wsman/1/windows/shell Receive>DesiredStream"`
		Signal struct {
			CommandID string `xml:"CommandId,attr"`
			Code      string `xml:"Code"`
		} `xml:"http://schemas.microsoft.com/wbem/wsman/1/windows/shell Signal"`
	} `xml:"http://www.w3.org/2003/05/soap-envelope Body"`
}

type selector struct {
	Name  string `xml:"Name,attr"`
	Value string `xml:",chardata"`
}

type stream struct {
	Name      string `xml:"Name,attr"`
	CommandID string `xml:"CommandId,attr"`
	End       string `xml:"End,attr"`
	Data      string `xml:",chardata"`
}

// ended reports whether the stream ends here; clients write "true" and "True".
func (s stream) ended() bool { return strings.EqualFold(s.End, "true") }

// parseRequest reads an envelope. What it allocates is bounded by the length
// of the body, which the caller has bounded.
func parseRequest(body []byte) (*request, error) {
	d := xml.NewDecoder(bytes.NewReader(body))
	var r request
	if err := d.Decode(&r); err != nil {
		return nil, fmt.Errorf("read soap envelope: %w", err)
	}
	// Nothing may follow the envelope but white space, comments and the like.
	for {
		switch token, err := d.Token(); {
		case errors.Is(err, io.EOF):
			h := &r.Header
			for _, s := range []*string{&h.Action, &h.MessageID, &h.Resource, &h.Timeout, &h.MaxSize} {
				*s = strings.TrimSpace(*s)
			}
			return &r, nil
		case err != nil:
			return nil, fmt.Errorf("read soap envelope: %w", err)
		default:
			if _, element := token.(xml.StartElement); element {
				return nil, errors.New("read soap envelope: a second document follows")
			}
		}
	}
}

// verb is the last word of the action.
func (r *request) verb() string {
	return r.Header.Action[strings.LastIndexByte(r.Header.Action, '/')+1:]
}

// shellID is the shell that the request is about.
func (r *request) shellID() string { return find(r.Header.Selectors, "ShellId") }

// commandID is the command that the request is about, if it is about one.
func (r *request) commandID() string {
	switch {
	case r.Body.Desired.CommandID != "":
		return r.Body.Desired.CommandID
	case r.Body.Signal.CommandID != "":
		return r.Body.Signal.CommandID
	case len(r.Body.Streams) > 0:
		return r.Body.Streams[0].CommandID
	}
	return ""
}

func find(in []selector, name string) string {
	for _, s := range in {
		if strings.EqualFold(s.Name, name) {
			return strings.TrimSpace(s.Value)
		}
	}
	return ""
}

// receiveTimeout is how long the client wants the operation to take at most.
func (r *request) receiveTimeout(most time.Duration) (time.Duration, *Fault) {
	if r.Header.Timeout == "" {
		return most, nil
	}
	d, err := parseDuration(r.Header.Timeout)
	if err != nil || d <= 0 {
		return 0, badTimeout(r.Header.Timeout)
	}
	return min(d, most), nil
}

// maxSize is the largest answer that the client takes, in bytes.
func (r *request) maxSize(most int) int {
	// Below 8 KiB no answer is possible [DSP0226]; such a request gets what
	// fits in 8 KiB (assumed).
	if n, err := strconv.Atoi(r.Header.MaxSize); err == nil {
		return min(max(n, 8192), most)
	}
	return most
}

// envelope opens with what captures of Windows declare.
const envelope = `<s:Envelope xml:lang="en-US" xmlns:s="http://www.w3.org/2003/05/soap-envelope"` +
	` xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"` +
	` xmlns:x="http://schemas.xmlsoap.org/ws/2004/09/transfer"` +
	` xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"` +
	` xmlns:rsp="` + shellNS + `" xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd">`

// replyEnvelope is an answer to r with the given action and body.
func (r *request) replyEnvelope(action, body string) []byte {
	var b bytes.Buffer
	b.WriteString(envelope + `<s:Header><a:Action>` + action + `</a:Action><a:MessageID>uuid:` + newID() +
		`</a:MessageID><a:To>` + anonymous + `</a:To><a:RelatesTo>` + escape(r.Header.MessageID) +
		`</a:RelatesTo></s:Header><s:Body>` + body + `</s:Body></s:Envelope>`)
	return b.Bytes()
}

// respond is reply with the action that answers the request's.
func (r *request) respond(body string) []byte {
	return r.replyEnvelope(r.Header.Action+"Response", body)
}

func escape(s string) string {
	var b strings.Builder
	// A strings.Builder never fails.
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}

// newID is a random UUID in capitals, as Windows writes them.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails [crypto/rand]
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%X-%X-%X-%X-%X", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
