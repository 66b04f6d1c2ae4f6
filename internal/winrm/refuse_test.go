package winrm_test

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/farmsim/wsman"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/internal/winrm"
)

func TestWrongCredentialsAreDenied(t *testing.T) {
	t.Parallel()
	for _, auth := range []winrm.Auth{winrm.NTLM, winrm.Basic} {
		for name, change := range map[string]func(*winrm.Connection){
			"wrong password": func(c *winrm.Connection) { c.Password = inFile(t, "wrong") },
			"unknown user":   func(c *winrm.Connection) { c.User = "nobody" },
		} {
			t.Run(string(auth)+", "+name, func(t *testing.T) {
				t.Parallel()
				s := start(t, echoing, wsman.Options{Offers: []wsman.Auth{wsman.NTLM, wsman.Basic}})
				c := s.connection(t)
				c.Auth = auth
				change(&c)
				err := runner(t, c, zap.NewNop()).Run(t.Context(), s.target(), say(0), &echo{})
				wantKind(t, err, powershell.Denied)
				if code := transportError(t, err).Code; code != http.StatusUnauthorized || !strings.Contains(err.Error(), "refuses user") {
					t.Errorf("got code %d: %v", code, err)
				}
				s.wantFreed(t)
			})
		}
	}
}

func TestAServerThatOffersOnlySomethingElseIsDenied(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		offers wsman.Auth
		auth   winrm.Auth
		want   string
	}{
		"weaker": {wsman.Basic, winrm.NTLM, "ntlm is configured, but the server offers only Basic"},
		"other":  {wsman.NTLM, winrm.Basic, "basic is configured, but the server offers only Negotiate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, echoing, wsman.Options{Offers: []wsman.Auth{c.offers}})
			connection := s.connection(t)
			connection.Auth = c.auth
			err := runner(t, connection, zap.NewNop()).Run(t.Context(), s.target(), say(0), &echo{})
			wantKind(t, err, powershell.Denied)
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want %q in it", err, c.want)
			}
			if got := s.Stats(); got.Requests != 1 || len(got.Actions) != 0 {
				t.Errorf("went on after the refusal: %+v", got)
			}
		})
	}
}

func TestAnUnknownAuthenticationIsDenied(t *testing.T) {
	t.Parallel()
	s := start(t, echoing, wsman.Options{})
	c := s.connection(t)
	c.Auth = "digest"
	wantKind(t, runner(t, c, zap.NewNop()).Run(t.Context(), s.target(), say(0), &echo{}), powershell.Denied)
}

func TestAPasswordThatCannotBeReadIsDenied(t *testing.T) {
	t.Parallel()
	s := start(t, echoing, wsman.Options{})
	c := s.connection(t)
	c.Password = "file:/nowhere/password"
	err := runner(t, c, zap.NewNop()).Run(t.Context(), s.target(), say(0), &echo{})
	wantKind(t, err, powershell.Denied)
	if !strings.Contains(err.Error(), "/nowhere/password") {
		t.Errorf("the error does not name the secret: %v", err)
	}
	s.wantFreed(t)
}

func TestAServerThatDoesNotProveItselfIsUntrusted(t *testing.T) {
	t.Parallel()
	_, otherCA := issue(t, serverName)
	for name, c := range map[string]struct {
		ca   func(own []byte) []byte
		host string
	}{
		"authority of the system": {func([]byte) []byte { return nil }, serverName},
		"another authority":       {func([]byte) []byte { return otherCA }, serverName},
		"no authority at all":     {func([]byte) []byte { return []byte("not PEM") }, serverName},
		"another name":            {func(own []byte) []byte { return own }, "oos-02.contoso.com"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, echoing, wsman.Options{})
			connection := s.connection(t)
			connection.CA = c.ca(s.ca)
			target := s.target()
			target.Host = c.host
			err := runner(t, connection, zap.NewNop()).Run(t.Context(), target, say(0), &echo{})
			wantKind(t, err, powershell.Untrusted)
			if n := s.Stats().Requests; n != 0 {
				t.Errorf("sent %d requests", n)
			}
		})
	}
}

func TestAnUnverifiedServerMayBeAllowedButGetsNoSecrets(t *testing.T) {
	t.Parallel()
	s := start(t, echoing, wsman.Options{})
	c := s.connection(t)
	c.CA, c.AllowUnverified = nil, true
	r := runner(t, c, zap.NewNop())
	if err := r.Run(t.Context(), s.target(), say(0), &echo{}); err != nil {
		t.Fatalf("without secrets: %v", err)
	}
	before := s.Stats().Requests
	wantKind(t, r.Run(t.Context(), s.target(), say(1), &echo{}), powershell.Untrusted)
	if after := s.Stats().Requests; after != before {
		t.Errorf("sent %d requests with a secret at hand", after-before)
	}
}

func TestPlainHTTPIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t, echoing, wsman.Options{PlainHTTP: true, Offers: []wsman.Auth{wsman.Basic, wsman.NTLM}})
	url := s.target()
	url.Address = s.URL()
	for name, target := range map[string]powershell.Target{"by address": s.target(), "by URL": url} {
		for _, unverified := range []bool{false, true} {
			c := s.connection(t)
			c.Auth, c.AllowUnverified = winrm.Basic, unverified
			err := runner(t, c, zap.NewNop()).Run(t.Context(), target, say(0), &echo{})
			wantKind(t, err, powershell.Untrusted)
			if !strings.Contains(err.Error(), "never over plain HTTP") {
				t.Errorf("%s: the error does not say why: %v", name, err)
			}
		}
	}
	if n := s.Stats().Requests; n != 0 {
		t.Errorf("sent %d requests in clear", n)
	}
}

func TestAServerThatOnlySpeaksOldTLSIsUntrusted(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	target := powershell.Target{Host: serverName, Address: s.Listener.Addr().String(), Connection: "office"}
	c := winrm.Connection{Auth: winrm.NTLM, User: user, Password: inFile(t, password), AllowUnverified: true}
	wantKind(t, runner(t, c, zap.NewNop()).Run(t.Context(), target, say(0), &echo{}), powershell.Untrusted)
}

// tlsServer is an HTTPS server of another kind than Windows'.
func tlsServer(t *testing.T, h http.HandlerFunc) (powershell.Target, winrm.Connection) {
	t.Helper()
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	target := powershell.Target{Host: "example.com", Address: s.Listener.Addr().String(), Connection: "office"}
	return target, winrm.Connection{Auth: winrm.Basic, User: "local", Password: inFile(t, password), CA: ca}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	var reached atomic.Int32
	clear := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer clear.Close()
	for _, auth := range []winrm.Auth{winrm.Basic, winrm.NTLM} {
		target, c := tlsServer(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, clear.URL, http.StatusTemporaryRedirect)
		})
		c.Auth = auth
		err := runner(t, c, zap.NewNop()).Run(t.Context(), target, say(0), &echo{})
		wantKind(t, err, powershell.Unreachable)
	}
	if reached.Load() != 0 {
		t.Error("followed to where nothing is encrypted")
	}
}

func TestNTLMWithAServerThatAuthenticatesNobodyIsDenied(t *testing.T) {
	t.Parallel()
	target, c := tlsServer(t, func(http.ResponseWriter, *http.Request) {})
	c.Auth = winrm.NTLM
	err := runner(t, c, zap.NewNop()).Run(t.Context(), target, say(0), &echo{})
	wantKind(t, err, powershell.Denied)
}

func TestNoMessageTravelsOverASecondConnection(t *testing.T) {
	t.Parallel()
	var bodies atomic.Int32
	target, c := tlsServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > 0 {
			bodies.Add(1)
		}
		switch message := r.Header.Get("Authorization"); {
		case strings.HasPrefix(message, "Negotiate TlRMTVNTUAAD"): // NTLMSSP, type 3
			w.Header().Set("Connection", "close")
		default:
			w.Header().Set("WWW-Authenticate", "Negotiate "+base64.StdEncoding.EncodeToString(challenge))
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	c.Auth = winrm.NTLM
	err := runner(t, c, zap.NewNop()).Run(t.Context(), target, say(0), &echo{})
	wantKind(t, err, powershell.Interrupted)
	if bodies.Load() != 0 {
		t.Error("sent a message over a connection that was not authenticated")
	}
}

// challenge is an NTLM challenge (MS-NLMP 2.2.1.2): Unicode, signing, sealing
// and extended session security, and target information with nothing in it.
var challenge = append([]byte("NTLMSSP\x00\x02\x00\x00\x00"+
	"\x00\x00\x00\x00\x30\x00\x00\x00"+"\x35\x82\x88\xe0"+"12345678"+"\x00\x00\x00\x00\x00\x00\x00\x00"+
	"\x04\x00\x04\x00\x30\x00\x00\x00"), 0, 0, 0, 0)

func TestAMalformedChallengeIsGarbled(t *testing.T) {
	t.Parallel()
	flagsOfOneByte := append(bytes.Clone(challenge[:40]), "\x0d\x00\x0d\x00\x30\x00\x00\x00"+
		"\x07\x00\x00\x00"+"\x06\x00\x01\x00\x00"+"\x00\x00\x00\x00"...)
	for name, c := range map[string]string{
		"not base64":        "!",
		"not NTLM":          "aGVsbG8=",
		"flags of one byte": base64.StdEncoding.EncodeToString(flagsOfOneByte),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target, connection := tlsServer(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("WWW-Authenticate", "Negotiate "+c)
				w.WriteHeader(http.StatusUnauthorized)
			})
			connection.Auth = winrm.NTLM
			err := runner(t, connection, zap.NewNop()).Run(t.Context(), target, say(0), &echo{})
			wantKind(t, err, powershell.Garbled)
		})
	}
}

func TestAWebServerWithoutWinRMIsNotTakenForOne(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
		want   powershell.Kind
		says   string
	}{
		"no such page":      {http.StatusNotFound, "", powershell.Unreachable, "there is no WinRM at this address"},
		"service stopped":   {http.StatusServiceUnavailable, "", powershell.Unreachable, "the WinRM service does not run"},
		"not allowed":       {http.StatusForbidden, "", powershell.Forbidden, "the account may not use WinRM"},
		"small envelopes":   {http.StatusRequestEntityTooLarge, "", powershell.Unreachable, "raise its MaxEnvelopeSizekb"},
		"a page":            {http.StatusOK, "<html><body>Hello</body></html>", powershell.Garbled, "read SOAP envelope"},
		"an endless answer": {http.StatusOK, strings.Repeat("x", 2<<20), powershell.Garbled, "an answer exceeds"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target, connection := tlsServer(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body)) // the client may have had enough
			})
			err := runner(t, connection, zap.NewNop()).Run(t.Context(), target, say(0), &echo{})
			wantKind(t, err, c.want)
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %q, want %q in it", err, c.says)
			}
		})
	}
}

// Ansible's winrm connection finds the quota of operations in this form.
func TestAQuotaThatOnlyWMINamesIsAQuota(t *testing.T) {
	t.Parallel()
	target, c := tlsServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault>`+
			`<s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>w:InternalError</s:Value></s:Subcode></s:Code>`+
			`<s:Reason><s:Text>This user has too many operations.</s:Text></s:Reason><s:Detail>`+
			`<p:MSFT_WmiError xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wmi/root/microsoft/wsman/MSFT_WmiError">`+
			`<p:error_Code>2150859174</p:error_Code></p:MSFT_WmiError></s:Detail></s:Fault></s:Body></s:Envelope>`)
	})
	err := runner(t, c, zap.NewNop()).Run(t.Context(), target, say(0), &echo{})
	wantKind(t, err, powershell.Quota)
	if !strings.Contains(err.Error(), "This user has too many operations.") {
		t.Errorf("%q does not repeat what the server says", err)
	}
}
