package wsman_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/bodgit/ntlmssp"
	"github.com/google/go-cmp/cmp"
	"github.com/masterzen/winrm"

	"github.com/farmtrust/farmtrust/internal/farmsim/wsman"
)

// header sends a body with an Authorization header and returns the status, the
// challenges and the body.
func (k *talker) header(authorization, contentType, body string) (int, []string, []byte) {
	k.t.Helper()
	r, err := http.NewRequestWithContext(k.t.Context(), http.MethodPost, k.w.URL(), strings.NewReader(body))
	if err != nil {
		k.t.Fatal(err)
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	r.Header.Set("Content-Type", contentType)
	res, err := k.client.Do(r)
	if err != nil {
		k.t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		k.t.Fatal(err)
	}
	return res.StatusCode, res.Header.Values("WWW-Authenticate"), data
}

const soap = "application/soap+xml;charset=UTF-8"

// handshake authenticates the talker's connection by NTLM and returns the
// client and the last status.
func (k *talker) handshake(name, secret string, bindings *ntlmssp.ChannelBindings, last func([]byte)) (*ntlmssp.Client, int) {
	k.t.Helper()
	c, err := ntlmssp.NewClient(ntlmssp.SetUserInfo(name, secret), ntlmssp.SetDomain("CONTOSO"))
	if err != nil {
		k.t.Fatal(err)
	}
	first, err := c.Authenticate(nil, nil)
	if err != nil {
		k.t.Fatal(err)
	}
	status, challenges, _ := k.header("Negotiate "+base64.StdEncoding.EncodeToString(first), soap, "")
	if status != 401 || len(challenges) != 1 {
		k.t.Fatalf("opening: status %d, challenges %q", status, challenges)
	}
	challenge, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(challenges[0], "Negotiate "))
	if err != nil {
		k.t.Fatal(err)
	}
	message, err := c.Authenticate(challenge, bindings)
	if err != nil {
		k.t.Fatal(err)
	}
	if last != nil {
		last(message)
	}
	status, _, _ = k.header("Negotiate "+base64.StdEncoding.EncodeToString(message), soap, "")
	return c, status
}

// bindingsOf is the channel binding token for a certificate.
func bindingsOf(der []byte) *ntlmssp.ChannelBindings {
	sum := sha256.Sum256(der)
	return &ntlmssp.ChannelBindings{ApplicationData: append([]byte(ntlmssp.TLSServerEndPoint+":"), sum[:]...)}
}

func TestOffers(t *testing.T) {
	t.Parallel()
	t.Run("the challenge lists them in order", func(t *testing.T) {
		t.Parallel()
		for _, c := range []struct {
			offers []wsman.Auth
			want   []string
		}{
			{nil, []string{"Negotiate"}},
			{[]wsman.Auth{wsman.Basic}, []string{`Basic realm="WSMAN"`}},
			{[]wsman.Auth{wsman.NTLM, wsman.Basic}, []string{"Negotiate", `Basic realm="WSMAN"`}},
		} {
			k := talk(t, start(t, func(o *wsman.Options) { o.Offers = c.offers }))
			status, got, body := k.header("", soap, "")
			if status != 401 || len(body) != 0 || !slices.Equal(got, c.want) {
				t.Errorf("%v: status %d, challenges %q, body %q", c.offers, status, got, body)
			}
		}
	})
	t.Run("nothing else is accepted", func(t *testing.T) {
		t.Parallel()
		w := start(t, func(o *wsman.Options) { o.Offers = []wsman.Auth{wsman.NTLM} })
		if r := talk(t, w).ask(transferURI+"/Create", shellBody("")); r.Status != 401 {
			t.Errorf("Basic: status %d", r.Status)
		}
		if got, want := w.Stats().BodiesBeforeAuthentication, 1; got != want {
			t.Errorf("%d bodies before authentication, want %d", got, want)
		}
	})
}

// TestNTLM_PerConnection checks that a handshake is valid for its connection
// alone.
func TestNTLM_PerConnection(t *testing.T) {
	t.Parallel()
	k := talk(t, start(t))
	if _, status := k.handshake(user, password, nil, nil); status != 200 {
		t.Fatalf("handshake: status %d", status)
	}
	create := k.envelope(transferURI+"/Create", shellBody(""))
	if status, _, body := k.header("", soap, create); status != 200 || !bytes.Contains(body, []byte(`CONTOSO\`+user)) {
		t.Errorf("a request without header: status %d, body %s", status, body)
	}
	if status, _, _ := k.header("", soap, ""); status != 401 {
		t.Errorf("an empty request without header: status %d", status)
	}
	if _, status := k.handshake(user, password, nil, nil); status != 200 {
		t.Errorf("a second handshake: status %d", status)
	}
	if _, status := k.handshake(user, "guess", nil, nil); status != 401 {
		t.Errorf("a handshake with a wrong password: status %d", status)
	}
	if status, _, _ := k.header("", soap, create); status != 401 {
		t.Errorf("a request after a failed handshake: status %d", status)
	}
	if s := k.w.Stats(); s.Opened != 1 {
		t.Errorf("%d connections", s.Opened)
	}
	k.client.CloseIdleConnections()
	if status, _, _ := k.header("", soap, create); status != 401 {
		t.Errorf("a request on another connection: status %d", status)
	}
}

func TestNTLM_Refuses(t *testing.T) {
	t.Parallel()
	w := start(t)
	none := func([]byte) {}
	for name, c := range map[string]struct {
		user, password string
		tamper         func([]byte)
	}{
		"an unknown user":       {"nobody", password, none},
		"a wrong password":      {user, "guess", none},
		"a tampered handshake":  {user, password, func(m []byte) { m[len(m)-1] ^= 1 }},
		"a wrong integrity sum": {user, password, func(m []byte) { m[72] ^= 1 }},
		"cleared flags":         {user, password, func(m []byte) { binary.LittleEndian.PutUint32(m[60:], 0) }},
		"a field out of bounds": {user, password, func(m []byte) { binary.LittleEndian.PutUint32(m[24:], 1<<31) }},
		"a short response":      {user, password, func(m []byte) { binary.LittleEndian.PutUint16(m[20:], 24) }},
	} {
		k := talk(t, w)
		if _, status := k.handshake(c.user, c.password, nil, c.tamper); status != 401 {
			t.Errorf("%s: status %d", name, status)
		}
		if status, _, _ := k.header("", soap, k.envelope(transferURI+"/Create", shellBody(""))); status != 401 {
			t.Errorf("%s, then a request: status %d", name, status)
		}
	}
	if s := w.Stats(); s.Shells != 0 {
		t.Errorf("%d shells", s.Shells)
	}
}

// TestNTLM_ServesOnce checks that the answer to a challenge is accepted once.
func TestNTLM_ServesOnce(t *testing.T) {
	t.Parallel()
	k := talk(t, start(t))
	var message []byte
	if _, status := k.handshake(user, password, nil, func(m []byte) { message = bytes.Clone(m) }); status != 200 {
		t.Fatalf("handshake: status %d", status)
	}
	if status, _, _ := k.header("Negotiate "+base64.StdEncoding.EncodeToString(message), soap, ""); status != 401 {
		t.Errorf("the same message again: status %d", status)
	}
}

func TestChannelBinding(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		binding  wsman.Binding
		name     string
		bindings func(der []byte) *ntlmssp.ChannelBindings
		status   int
		bound    int
	}{
		{wsman.Relaxed, "none", func([]byte) *ntlmssp.ChannelBindings { return nil }, 200, 0},
		{wsman.Relaxed, "right", bindingsOf, 200, 1},
		{wsman.Relaxed, "wrong", func([]byte) *ntlmssp.ChannelBindings { return bindingsOf([]byte("other")) }, 401, 0},
		{wsman.Strict, "none", func([]byte) *ntlmssp.ChannelBindings { return nil }, 401, 0},
		{wsman.Strict, "right", bindingsOf, 200, 1},
		{wsman.Strict, "wrong", func([]byte) *ntlmssp.ChannelBindings { return bindingsOf([]byte("other")) }, 401, 0},
	} {
		var der []byte
		w := start(t, func(o *wsman.Options) { o.Binding = c.binding; der = o.Certificate.Certificate[0] })
		if _, status := talk(t, w).handshake(user, password, c.bindings(der), nil); status != c.status {
			t.Errorf("%s token, binding %d: status %d, want %d", c.name, c.binding, status, c.status)
		}
		if got := w.Stats().Bound; got != c.bound {
			t.Errorf("%s token, binding %d: %d bound, want %d", c.name, c.binding, got, c.bound)
		}
	}
}

// TestManyClients checks that many clients at once leave nothing behind.
func TestManyClients(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *wsman.Options) { o.MaxShellsPerUser = 1000 })
	var all sync.WaitGroup
	for i := range 30 {
		all.Go(func() {
			k := talk(t, w)
			defer k.client.CloseIdleConnections()
			r, err := k.try(transferURI+"/Create", shellBody(""))
			if err != nil {
				t.Error(err)
				return
			}
			k.shell = r.Body.Shell
			want := fmt.Sprintf("client %d", i)
			got := k.receive(k.start("echo", want).Body.CommandID).stdout(t)
			if got != want+"\r\n" {
				t.Errorf("got %q, want %q", got, want)
			}
			k.close()
		})
	}
	all.Wait()
	eventually(t, func() bool { return w.Stats().Open == 0 })
	want := wsman.Stats{Requests: 120, Opened: 30, Actions: map[string]int{"Create": 30, "Command": 30, "Receive": 30, "Delete": 30}}
	if diff := cmp.Diff(want, w.Stats()); diff != "" {
		t.Error(diff)
	}
}

// TestMasterzen_StrictServer checks that NTLM without a channel binding token
// is refused by a strict server.
func TestMasterzen_StrictServer(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *wsman.Options) { o.Binding = wsman.Strict })
	c := masterzen(t, w, password, func() winrm.Transporter { return &winrm.ClientNTLM{} })
	if _, err := c.RunWithContext(t.Context(), "hostname", io.Discard, io.Discard); err == nil {
		t.Error("no error")
	}
	if ran := w.machine.commands(); len(ran) != 0 {
		t.Errorf("%d commands ran", len(ran))
	}
}

// TestStart_Refuses checks that options that cannot serve are refused.
func TestStart_Refuses(t *testing.T) {
	t.Parallel()
	_, err := wsman.Start(wsman.Options{Offers: []wsman.Auth{"kerberos"}}, &machine{})
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{"no name", "no accounts", "no certificate", `"kerberos"`} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %s", err, part)
		}
	}
}
