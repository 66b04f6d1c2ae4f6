package wsman

import (
	"bytes"
	"encoding/binary"
	"testing"
)

func FuzzParseRequest(f *testing.F) {
	f.Add([]byte(`<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"` +
		` xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:rsp="` + shellNS + `"><s:Header><a:Action>` + actionReceive +
		`</a:Action><a:MessageID>uuid:1</a:MessageID><w:OperationTimeout>PT20S</w:OperationTimeout><w:MaxEnvelopeSize>153600</w:MaxEnvelopeSize>` +
		`<w:SelectorSet><w:Selector Name="ShellId">1</w:Selector></w:SelectorSet></s:Header><s:Body><rsp:Receive><rsp:DesiredStream CommandId="2">` +
		`stdout stderr</rsp:DesiredStream></rsp:Receive></s:Body></s:Envelope>`))
	f.Add([]byte(`<Envelope xmlns="http://www.w3.org/2003/05/soap-envelope"><Body><Send xmlns="` + shellNS + `"><Stream Name="stdin" End="True">eA==</Stream></Send></Body></Envelope>`))
	f.Add([]byte(`<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := parseRequest(body)
		if err != nil {
			return
		}
		if n := len(r.Header.Selectors) + len(r.Header.Options) + len(r.Body.Streams) + len(r.Body.CommandLine.Arguments); n > len(body) {
			t.Errorf("%d elements from %d bytes", n, len(body))
		}
		if d, fault := r.receiveTimeout(1); fault == nil && d <= 0 {
			t.Errorf("timeout %v from %q", d, r.Header.Timeout)
		}
		// What is echoed must not break the answer.
		for _, answer := range [][]byte{r.respond(""), unknownResource(r.Header.Resource).faultEnvelope(r, "m"), badTimeout(r.Header.Timeout).faultEnvelope(r, "m")} {
			if _, err := parseRequest(answer); err != nil {
				t.Errorf("answer %q: %v", answer, err)
			}
		}
	})
}

func FuzzAccept(f *testing.F) {
	open, err := parseNegotiate(append([]byte(signature), 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff))
	if err != nil {
		f.Fatal(err)
	}
	message := make([]byte, 200)
	copy(message, signature)
	message[8] = typeAuthenticate
	putField(message[20:], 60, 100)
	putField(message[36:], 8, 88)
	binary.LittleEndian.PutUint32(message[60:], flagUnicode|flagExtendedSession|flagKeyExchange)
	f.Add(message)
	f.Add(message[:authenticateLen])
	weak := bytes.Clone(message) // no key exchange and no integrity code, which would both notice a wrong password
	binary.LittleEndian.PutUint32(weak[60:], flagUnicode|flagExtendedSession)
	f.Add(weak)
	beyond := bytes.Clone(weak)
	putField(beyond[20:], 60, 190)
	f.Add(beyond)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if o, err := parseNegotiate(raw); err == nil {
			newAcceptor("oos-01.contoso.test", o)
		}
		user, err := newAcceptor("oos-01.contoso.test", open).acceptToken(raw, func(string) (string, bool) { return "secret", true })
		if err == nil {
			t.Errorf("%q was authenticated without knowing the password", user)
		}
		// Past the password, what the client says must still be safe to read.
		if m, err := parseAuthenticate(raw); err == nil {
			_ = newAcceptor("oos-01.contoso.test", open).readAttributes(m, make([]byte, 16))
		}
	})
}

func FuzzUnwrapSealed(f *testing.F) {
	f.Add(wrapSealed(bytes.Repeat([]byte("x"), signatureLen+5), 5))
	f.Add(wrapSealed(bytes.Repeat([]byte("x"), signatureLen+5), 6))
	f.Add([]byte(boundary + "--\r\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		sealed, err := unwrapSealed(body)
		if err != nil {
			return
		}
		again, err := unwrapSealed(wrapSealed(sealed, len(sealed)-signatureLen))
		if err != nil || !bytes.Equal(again, sealed) {
			t.Errorf("wrapped again: %q, error %v", again, err)
		}
	})
}

func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"PT60S", "PT7200.000S", "P1DT2H3M4.5S", "P", "PT", "PT-1S", "PT99999999999999999999S"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := parseDuration(s)
		if err == nil && d < 0 {
			t.Errorf("%q is %v", s, d)
		}
	})
}
