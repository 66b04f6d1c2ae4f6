package winrm

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// response is what a SOAP envelope from a server says.
type response struct {
	// size is the length of the envelope, in bytes.
	size int
	// fault is nil when the request was carried out.
	fault *fault
	// shellID and commandID name what a request made.
	shellID, commandID string
	// stdout and stderr are the output that a Receive brought.
	stdout, stderr []byte
	// done reports whether the command has ended, with the code exit.
	done bool
	exit int
}

// envelope is the part of a SOAP 1.2 envelope that is read, with the elements
// of shells and commands in MS-WSMV 2.2.4.
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

// readResponse decodes a server's envelope, to its end.
//
// It takes the place of masterzen's parsers, which build a tree of all
// elements, each with all namespaces in scope, and search it by XPath: some ten
// kilobytes from a hostile server keep them busy for a minute, or take all
// memory. They also take damaged output for none.
func readResponse(body []byte) (response, error) {
	decoder := xml.NewDecoder(bytes.NewReader(body))
	var e envelope
	if err := decoder.Decode(&e); err != nil {
		return response{}, fmt.Errorf("read SOAP envelope: %w", err)
	}
	if err := requireEnd(decoder); err != nil {
		return response{}, fmt.Errorf("read SOAP envelope: %w", err)
	}
	r := response{size: len(body), shellID: strings.TrimSpace(e.Body.Shell), commandID: strings.TrimSpace(e.Body.Command)}
	if e.Body.Fault != nil {
		r.fault = e.Body.Fault.toFault()
	}
	return r, r.readOutput(e.Body.Receive.Streams, e.Body.Receive.State.State, strings.TrimSpace(e.Body.Receive.State.Exit))
}

// readOutput reads what a Receive brought.
func (r *response) readOutput(streams []stream, state, exit string) error {
	for _, s := range streams {
		data, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s.Data))
		switch {
		case err != nil:
			return fmt.Errorf("read output: %w", err)
		case s.Name == "stdout":
			r.stdout = append(r.stdout, data...)
		case s.Name == "stderr":
			r.stderr = append(r.stderr, data...)
		}
	}
	r.done = strings.HasSuffix(state, "/Done")
	if !r.done || exit == "" {
		return nil
	}
	code, err := strconv.Atoi(exit)
	if err != nil {
		return fmt.Errorf("read exit code: %w", err)
	}
	r.exit = code
	return nil
}

// requireEnd returns an error if anything but blanks follows.
func requireEnd(decoder *xml.Decoder) error {
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
