package winrm_test

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/internal/winrm"
)

func TestRun_HTTP(t *testing.T) {
	t.Parallel()
	t.Run("a server that only speaks old TLS is untrusted", func(t *testing.T) {
		t.Parallel()
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
		t.Cleanup(s.Close)
		target := powershell.Target{Host: serverName, Address: s.Listener.Addr().String(), Connection: "office"}
		c := winrm.Connection{Auth: winrm.NTLM, User: user, Password: secretFile(t, password), AllowUnverified: true}
		requireKind(t, newRunner(t, c, zap.NewNop()).Run(t.Context(), target, newCall(0), &echo{}), powershell.Untrusted)
	})

	t.Run("a redirect is not followed", func(t *testing.T) {
		t.Parallel()
		var reached atomic.Int32
		clear := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
		defer clear.Close()
		for _, auth := range []winrm.Auth{winrm.Basic, winrm.NTLM} {
			t.Run(string(auth), func(t *testing.T) {
				target, c := startHTTPS(t, func(w http.ResponseWriter, r *http.Request) {
					http.Redirect(w, r, clear.URL, http.StatusTemporaryRedirect)
				})
				c.Auth = auth
				err := newRunner(t, c, zap.NewNop()).Run(t.Context(), target, newCall(0), &echo{})
				requireKind(t, err, powershell.Unreachable)
			})
		}
		if reached.Load() != 0 {
			t.Error("followed to where nothing is encrypted")
		}
	})

	// What stands between requests on the wire must not be taken for a response.
	t.Run("each request has one response", func(t *testing.T) {
		t.Parallel()
		for name, c := range map[string]struct {
			answer string
			want   powershell.Kind
			says   string
		}{
			"an interim one goes before":         {"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", powershell.Unreachable, "there is no WinRM"},
			"it is the server's last":            {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", powershell.Garbled, "read SOAP envelope"},
			"one that was not asked for follows": {"HTTP/1.1 401 No\r\nWWW-Authenticate: Negotiate " + base64.StdEncoding.EncodeToString(testChallenge) + "\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", powershell.Garbled, "more than it was asked for"},
			"there is none":                      {"", powershell.Interrupted, "the connection was closed"},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				target, connection := startHTTPS(t, func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
					wire, _, err := http.NewResponseController(w).Hijack()
					if err != nil {
						t.Error(err)
						return
					}
					_, _ = io.WriteString(wire, c.answer)
					_ = wire.Close() // what was written arrives before the end
				})
				if strings.Contains(c.answer, "Negotiate") {
					connection.Auth = winrm.NTLM
				}
				err := newRunner(t, connection, zap.NewNop()).Run(t.Context(), target, newCall(0), &echo{})
				requireKind(t, err, c.want)
				if !strings.Contains(err.Error(), c.says) {
					t.Errorf("got %q, want %q in it", err, c.says)
				}
			})
		}
	})

	t.Run("a web server without WinRM is not mistaken for one", func(t *testing.T) {
		t.Parallel()
		for name, c := range map[string]struct {
			status int
			body   string
			want   powershell.Kind
			says   string
		}{
			"no such page":        {http.StatusNotFound, "", powershell.Unreachable, "there is no WinRM at this address"},
			"service stopped":     {http.StatusServiceUnavailable, "", powershell.Unreachable, "the WinRM service is not running"},
			"not allowed":         {http.StatusForbidden, "", powershell.Forbidden, "the account may not use WinRM"},
			"small envelopes":     {http.StatusRequestEntityTooLarge, "", powershell.Unreachable, "raise its MaxEnvelopeSizekb"},
			"an empty envelope":   {http.StatusOK, soapEnvelope(""), powershell.Garbled, "does not name what it made"},
			"a page":              {http.StatusOK, "<html><body>Hello</body></html>", powershell.Garbled, "read SOAP envelope"},
			"a page of one word":  {http.StatusOK, "<" + strings.Repeat("x", 10_000) + "/>", powershell.Garbled, "read SOAP envelope"},
			"an endless response": {http.StatusOK, strings.Repeat("x", 2<<20), powershell.Oversized, "a response has more than"},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				target, connection := startHTTPS(t, func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(c.status)
					_, _ = w.Write([]byte(c.body)) // the client may have had enough
				})
				err := newRunner(t, connection, zap.NewNop()).Run(t.Context(), target, newCall(0), &echo{})
				requireKind(t, err, c.want)
				if said := err.Error(); !strings.Contains(said, c.says) || len(said) > 1000 {
					t.Errorf("got %d bytes, %.200q, want fewer and %q in them", len(said), said, c.says)
				}
			})
		}
	})
}

// startHTTPS starts an HTTPS server that is not Windows'.
func startHTTPS(t *testing.T, h http.HandlerFunc) (powershell.Target, winrm.Connection) {
	t.Helper()
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	target := powershell.Target{Host: "example.com", Address: s.Listener.Addr().String(), Connection: "office"}
	return target, winrm.Connection{Auth: winrm.Basic, User: "local", Password: secretFile(t, password), CA: ca}
}

func TestRun_NTLM(t *testing.T) {
	t.Parallel()
	t.Run("a server that does not authenticate is denied", func(t *testing.T) {
		t.Parallel()
		target, c := startHTTPS(t, func(http.ResponseWriter, *http.Request) {})
		c.Auth = winrm.NTLM
		err := newRunner(t, c, zap.NewNop()).Run(t.Context(), target, newCall(0), &echo{})
		requireKind(t, err, powershell.Denied)
	})

	t.Run("a server that accepts no NTLM does not blame the password", func(t *testing.T) {
		t.Parallel()
		target, c := startHTTPS(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", "Negotiate")
			w.WriteHeader(http.StatusUnauthorized)
		})
		c.Auth = winrm.NTLM
		err := newRunner(t, c, zap.NewNop()).Run(t.Context(), target, newCall(0), &echo{})
		requireKind(t, err, powershell.Denied)
		if !strings.Contains(err.Error(), "accepts no NTLM") {
			t.Errorf("got %q", err)
		}
	})

	t.Run("no message travels over a second connection", func(t *testing.T) {
		t.Parallel()
		var bodies atomic.Int32
		target, c := startHTTPS(t, func(w http.ResponseWriter, r *http.Request) {
			if r.ContentLength > 0 {
				bodies.Add(1)
			}
			switch message := r.Header.Get("Authorization"); {
			case strings.HasPrefix(message, "Negotiate TlRMTVNTUAAD"): // NTLMSSP, type 3
				w.Header().Set("Connection", "close")
			default:
				w.Header().Set("WWW-Authenticate", "Negotiate "+base64.StdEncoding.EncodeToString(testChallenge))
				w.WriteHeader(http.StatusUnauthorized)
			}
		})
		c.Auth = winrm.NTLM
		err := newRunner(t, c, zap.NewNop()).Run(t.Context(), target, newCall(0), &echo{})
		requireKind(t, err, powershell.Interrupted)
		if bodies.Load() != 0 {
			t.Error("sent a message over a connection that was not authenticated")
		}
	})

	t.Run("a challenge that is malformed, or lacks what binds a proof, is garbled", func(t *testing.T) {
		t.Parallel()
		// Who relays a proof removes the timestamp.
		withoutTimestamp := append(bytes.Clone(testChallenge[:40]), "\x04\x00\x04\x00\x30\x00\x00\x00"+"\x00\x00\x00\x00"...)
		for name, c := range map[string]string{
			"not base64":   "!",
			"not NTLM":     "aGVsbG8=",
			"no timestamp": base64.StdEncoding.EncodeToString(withoutTimestamp),
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				target, connection := startHTTPS(t, func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("WWW-Authenticate", "Negotiate "+c)
					w.WriteHeader(http.StatusUnauthorized)
				})
				connection.Auth = winrm.NTLM
				err := newRunner(t, connection, zap.NewNop()).Run(t.Context(), target, newCall(0), &echo{})
				requireKind(t, err, powershell.Garbled)
			})
		}
	})
}

// testChallenge is an NTLM challenge (MS-NLMP 2.2.1.2): Unicode, signing, sealing
// and extended session security, and target information with a timestamp.
var testChallenge = []byte("NTLMSSP\x00\x02\x00\x00\x00" +
	"\x00\x00\x00\x00\x30\x00\x00\x00" + "\x35\x82\x88\xe0" + "12345678" + "\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x10\x00\x10\x00\x30\x00\x00\x00" + "\x07\x00\x08\x00" + "12345678" + "\x00\x00\x00\x00")

// soapEnvelope returns an envelope with that body.
func soapEnvelope(body string) string {
	return `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>` + body + `</s:Body></s:Envelope>`
}

func TestRun_HostileServer(t *testing.T) {
	t.Parallel()
	// In such a tree, masterzen's parsers search for half a minute and more.
	t.Run("a deep response is read in time", func(t *testing.T) {
		t.Parallel()
		const depth = 20_000
		answer := soapEnvelope(`<r:Shell xmlns:r="http://schemas.microsoft.com/wbem/wsman/1/windows/shell"><r:ShellId>1</r:ShellId></r:Shell>` +
			`<r:CommandResponse xmlns:r="http://schemas.microsoft.com/wbem/wsman/1/windows/shell"><r:CommandId>2</r:CommandId></r:CommandResponse>` +
			`<r:ReceiveResponse xmlns:r="http://schemas.microsoft.com/wbem/wsman/1/windows/shell"><r:Stream Name="stderr">aGVsbG8=</r:Stream>` +
			`<r:CommandState State="x/Done"><r:ExitCode>3</r:ExitCode></r:CommandState></r:ReceiveResponse>` +
			strings.Repeat("<a>", depth) + strings.Repeat("</a>", depth))
		target, c := startHTTPS(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) })
		began := time.Now()
		err := newRunner(t, c, zap.NewNop()).Run(t.Context(), target, newCall(0), &echo{})
		if took := time.Since(began); took > testTimeouts.Response {
			t.Errorf("returned after %s", took)
		}
		requireKind(t, err, powershell.Garbled)
		if want := "exit code 3"; !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want %q in it", err, want)
		}
	})

	t.Run("offered schemes do not flood the error", func(t *testing.T) {
		t.Parallel()
		for name, c := range map[string]struct {
			schemes int
			says    string
		}{
			"many":               {300, "the server offers only Scheme0"},
			"more than are read": {3000, "the header of a response has more than"},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				target, connection := startHTTPS(t, func(w http.ResponseWriter, _ *http.Request) {
					for i := range c.schemes {
						w.Header().Add("WWW-Authenticate", fmt.Sprintf("Scheme%d%s", i, strings.Repeat("x", 90)))
					}
					w.WriteHeader(http.StatusUnauthorized)
				})
				connection.Auth = winrm.NTLM
				err := newRunner(t, connection, zap.NewNop()).Run(t.Context(), target, newCall(0), &echo{})
				if said := requireTransportError(t, err).Error(); len(said) > 1000 || !strings.Contains(said, c.says) {
					t.Errorf("got %d bytes, %.200q, want fewer and %q in them", len(said), said, c.says)
				}
			})
		}
	})
}

func TestRun_WMIQuota(t *testing.T) {
	t.Parallel()
	// Ansible's winrm connection finds the quota of operations in this form.
	t.Run("a quota that only WMI names is a quota error", func(t *testing.T) {
		t.Parallel()
		target, c := startHTTPS(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, soapEnvelope(`<s:Fault>`+
				`<s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>w:InternalError</s:Value></s:Subcode></s:Code>`+
				`<s:Reason><s:Text>This user has too many operations.</s:Text></s:Reason><s:Detail>`+
				`<p:MSFT_WmiError xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wmi/root/microsoft/wsman/MSFT_WmiError">`+
				`<p:error_Code>2150859174</p:error_Code></p:MSFT_WmiError></s:Detail></s:Fault>`))
		})
		err := newRunner(t, c, zap.NewNop()).Run(t.Context(), target, newCall(0), &echo{})
		requireKind(t, err, powershell.Quota)
		if !strings.Contains(err.Error(), "This user has too many operations.") {
			t.Errorf("%q does not repeat what the server says", err)
		}
	})
}
