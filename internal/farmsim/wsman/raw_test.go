package wsman_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

const (
	shellURI    = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
	transferURI = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
)

// talker sends envelopes of the test's own making, with Basic.
type talker struct {
	t      *testing.T
	w      testEndpoint
	client *http.Client
	user   string
	// timeout is the OperationTimeout header.
	timeout string
	// resource replaces the shell resource.
	resource string
	shell    string
	options  string
}

func talk(t *testing.T, w testEndpoint) *talker {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(w.ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: serverName}}
	t.Cleanup(transport.CloseIdleConnections)
	return &talker{t: t, w: w, client: &http.Client{Transport: transport}, user: user, timeout: "PT5S", resource: shellURI + "/cmd"}
}

// reply is what the tests read of an answer.
type reply struct {
	Status    int
	Action    string `xml:"Header>Action"`
	RelatesTo string `xml:"Header>RelatesTo"`
	Body      struct {
		Selector  string `xml:"ResourceCreated>ReferenceParameters>SelectorSet>Selector"`
		Shell     string `xml:"Shell>ShellId"`
		Idle      string `xml:"Shell>IdleTimeOut"`
		CommandID string `xml:"CommandResponse>CommandId"`
		Envelope  int    `xml:"Config>MaxEnvelopeSizekb"`
		Streams   []struct {
			Name string `xml:"Name,attr"`
			End  bool   `xml:"End,attr"`
			Data string `xml:",chardata"`
		} `xml:"ReceiveResponse>Stream"`
		State struct {
			State string `xml:"State,attr"`
			Exit  *int   `xml:"ExitCode"`
		} `xml:"ReceiveResponse>CommandState"`
		Fault struct {
			Origin  string `xml:"Code>Value"`
			Subcode string `xml:"Code>Subcode>Value"`
			Detail  struct {
				Code uint32 `xml:"Code,attr"`
			} `xml:"Detail>WSManFault"`
		} `xml:"Fault"`
	} `xml:"Body"`
}

func (r reply) stdout(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, s := range r.Body.Streams {
		data, err := base64.StdEncoding.DecodeString(s.Data)
		if err != nil {
			t.Fatal(err)
		}
		if s.Name == "stdout" {
			b.Write(data)
		}
	}
	return b.String()
}

// fault is the fault in short, or empty.
func (r reply) fault() string {
	if r.Body.Fault.Subcode == "" {
		return ""
	}
	return fmt.Sprintf("%d %s/%s %d", r.Status, r.Body.Fault.Origin, r.Body.Fault.Subcode, r.Body.Fault.Detail.Code)
}

// envelope writes a request with prefixes that no client is known to use.
func (k *talker) envelope(action, body string) string {
	selectors := ""
	if k.shell != "" {
		selectors = `<wm:SelectorSet><wm:Selector Name="ShellId">` + k.shell + `</wm:Selector></wm:SelectorSet>`
	}
	return `<?xml version="1.0" encoding="utf-8"?><Envelope xmlns="http://www.w3.org/2003/05/soap-envelope"` +
		` xmlns:adr="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:wm="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"><Header>` +
		`<adr:Action>` + action + `</adr:Action><adr:MessageID>uuid:1234</adr:MessageID><wm:ResourceURI>` + k.resource + `</wm:ResourceURI>` +
		`<wm:OperationTimeout>` + k.timeout + `</wm:OperationTimeout>` + selectors + k.options + `</Header><Body>` + body + `</Body></Envelope>`
}

// post sends a body as the user.
func (k *talker) post(body string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(k.t.Context(), http.MethodPost, k.w.URL(), strings.NewReader(body))
	if err != nil {
		k.t.Fatal(err)
	}
	r.SetBasicAuth(k.user, password)
	r.Header.Set("Content-Type", "application/soap+xml;charset=UTF-8")
	return k.client.Do(r)
}

// try sends an envelope and reads the answer.
func (k *talker) try(action, body string) (reply, error) {
	res, err := k.post(k.envelope(action, body))
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return reply{}, err
	}
	r := reply{Status: res.StatusCode}
	if len(bytes.TrimSpace(data)) > 0 {
		if err := xml.Unmarshal(data, &r); err != nil {
			k.t.Fatalf("answer %q: %v", data, err)
		}
	}
	return r, nil
}

func (k *talker) ask(action, body string) reply {
	k.t.Helper()
	r, err := k.try(action, body)
	if err != nil {
		k.t.Fatal(err)
	}
	return r
}

// open creates a shell and goes on with it.
func (k *talker) open(body string) reply {
	k.t.Helper()
	k.shell = ""
	r := k.ask(transferURI+"/Create", shellBody(body))
	k.shell = r.Body.Shell
	return r
}

func shellBody(inner string) string {
	return `<rsp:Shell xmlns:rsp="` + shellURI + `">` + inner + `<rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams></rsp:Shell>`
}

// start starts a command.
func (k *talker) start(line string, arguments ...string) reply {
	k.t.Helper()
	body := `<CommandLine xmlns="` + shellURI + `"><Command><![CDATA[` + line + `]]></Command>`
	for _, a := range arguments {
		body += `<Arguments>` + a + `</Arguments>`
	}
	return k.ask(shellURI+"/Command", body+`</CommandLine>`)
}

func (k *talker) receive(command string) reply {
	k.t.Helper()
	return k.ask(shellURI+"/Receive", receiveBody(command))
}

func receiveBody(command string) string {
	return `<r:Receive xmlns:r="` + shellURI + `"><r:DesiredStream CommandId="` + command + `">stdout stderr</r:DesiredStream></r:Receive>`
}

func (k *talker) send(command, data, end string) reply {
	k.t.Helper()
	return k.ask(shellURI+"/Send", `<r:Send xmlns:r="`+shellURI+`"><r:Stream Name="stdin" CommandId="`+command+`" End="`+end+`">`+
		base64.StdEncoding.EncodeToString([]byte(data))+`</r:Stream></r:Send>`)
}

func (k *talker) signal(command, code string) reply {
	k.t.Helper()
	return k.ask(shellURI+"/Signal", `<r:Signal xmlns:r="`+shellURI+`" CommandId="`+command+`"><r:Code>`+shellURI+`/signal/`+code+`</r:Code></r:Signal>`)
}

func (k *talker) close() reply {
	k.t.Helper()
	return k.ask(transferURI+"/Delete", "")
}
