package wsman_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/bodgit/ntlmssp"

	"github.com/farmtrust/farmtrust/internal/farmsim/wsman"
)

// sealedBody wraps an envelope as clients do.
func sealedBody(t *testing.T, c *ntlmssp.Client, envelope string) string {
	t.Helper()
	sealed, signature, err := c.SecuritySession().Wrap([]byte(envelope))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "--Encrypted Boundary\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n"+
		"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=%d\r\n"+
		"--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n", len(envelope))
	b.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(signature))))
	b.Write(signature)
	b.Write(sealed)
	b.WriteString("--Encrypted Boundary--\r\n")
	return b.String()
}

const sealed = `multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted";boundary="Encrypted Boundary"`

func TestSealed(t *testing.T) {
	t.Parallel()
	t.Run("requests get sealed answers", func(t *testing.T) {
		t.Parallel()
		k := talk(t, start(t))
		c, status := k.handshake(user, password, nil, nil)
		if status != 200 {
			t.Fatalf("handshake: status %d", status)
		}
		for range 3 { // the ciphers go on from message to message
			status, _, body := k.header("", sealed, sealedBody(t, c, k.envelope(transferURI+"/Create", shellBody(""))))
			_, payload, _ := bytes.Cut(body, []byte("application/octet-stream\r\n"))
			payload = bytes.TrimSuffix(payload, []byte("--Encrypted Boundary--\r\n"))
			if status != 200 || len(payload) < 20 {
				t.Fatalf("status %d, body %q", status, body)
			}
			open, err := c.SecuritySession().Unwrap(payload[20:], payload[4:20])
			if err != nil || !bytes.Contains(open, []byte("CreateResponse")) {
				t.Errorf("error %v, answer %q", err, open)
			}
		}
	})
	t.Run("for another connection is a bad request", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		k, other := talk(t, w), talk(t, w)
		c, _ := k.handshake(user, password, nil, nil)
		other.handshake(user, password, nil, nil)
		body := sealedBody(t, c, k.envelope(transferURI+"/Create", shellBody("")))
		if status, _, _ := other.header("", sealed, body); status != 400 {
			t.Errorf("status %d", status)
		}
		if s := w.Stats(); s.Shells != 0 {
			t.Errorf("%d shells", s.Shells)
		}
	})
	t.Run("with another length is a bad request", func(t *testing.T) {
		t.Parallel()
		k := talk(t, start(t))
		c, _ := k.handshake(user, password, nil, nil)
		create := k.envelope(transferURI+"/Create", shellBody(""))
		body := sealedBody(t, c, create)
		length := fmt.Sprintf("Length=%d", len(create))
		if status, _, _ := k.header("", sealed, strings.Replace(body, length, length+"0", 1)); status != 400 {
			t.Errorf("status %d", status)
		}
	})
}

// TestPlainHTTP_NeedsSeal checks that plain HTTP refuses what is not sealed.
func TestPlainHTTP_NeedsSeal(t *testing.T) {
	t.Parallel()
	k := talk(t, start(t, func(o *wsman.Options) { o.PlainHTTP = true }))
	c, status := k.handshake(user, password, nil, nil)
	if status != 200 {
		t.Fatalf("handshake: status %d", status)
	}
	create := k.envelope(transferURI+"/Create", shellBody(""))
	if status, _, _ := k.header("", soap, create); status != 500 {
		t.Errorf("in the clear: status %d", status)
	}
	if status, _, _ := k.header("", sealed, sealedBody(t, c, create)); status != 200 {
		t.Errorf("sealed: status %d", status)
	}
}
