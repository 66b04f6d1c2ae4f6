package ntlm

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// acceptor is the server's half by gss-ntlmssp, which is not ours: it reads messages in
// base64, a line each, and answers with the next one, or with who has signed in.
const acceptor = `
import base64, sys, gssapi
ntlm = gssapi.OID.from_int_seq("1.3.6.1.4.1.311.2.2.10")
credentials = gssapi.Credentials(usage="accept", mechs=[ntlm])
bindings = gssapi.raw.ChannelBindings(application_data=base64.b64decode(sys.argv[1]))
context = gssapi.SecurityContext(creds=credentials, usage="accept", channel_bindings=bindings)
try:
    while not context.complete:
        token = context.step(base64.b64decode(sys.stdin.readline()))
        if token:
            print(base64.b64encode(token).decode(), flush=True)
    print("accepted", context.initiator_name, flush=True)
except gssapi.exceptions.GSSError as e:
    print("refused", str(e).replace("\n", " "), flush=True)
`

// acceptByGSS has the acceptor take the messages of a client, and returns what it says.
func acceptByGSS(t *testing.T, c Client, serverBindings []byte, change func(message []byte)) string {
	t.Helper()
	users := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(users, []byte("CONTOSO:svc-oos:Password\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	python := exec.CommandContext(ctx, "/usr/bin/python3", "-c", acceptor, base64.StdEncoding.EncodeToString(serverBindings))
	python.Env = append(os.Environ(), "NTLM_USER_FILE="+users)
	python.Stderr = os.Stderr
	stdin, err := python.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := python.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := python.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); _ = python.Wait() }() // what it said is what counts
	answers := bufio.NewScanner(stdout)
	say := func(m []byte) string {
		fmt.Fprintln(stdin, base64.StdEncoding.EncodeToString(m))
		answers.Scan()
		return answers.Text()
	}
	offer := Negotiate()
	answer := say(offer)
	challenge, err := base64.StdEncoding.DecodeString(answer)
	if err != nil {
		t.Fatalf("the acceptor says %q: %v", answer, err)
	}
	m, err := Authenticate(offer, challenge, c)
	if err != nil {
		t.Fatal(err)
	}
	change(m)
	return say(m)
}

func TestAuthenticate_IsAcceptedByAnAcceptorThatIsNotOurs(t *testing.T) {
	if err := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", `import gssapi; gssapi.Credentials(usage="accept", mechs=[gssapi.OID.from_int_seq("1.3.6.1.4.1.311.2.2.10")])`).Run(); err != nil {
		t.Skip("Debian's python3-gssapi and gss-ntlmssp are not installed")
	}
	unchanged := func([]byte) {}
	for _, c := range []struct {
		name     string
		client   Client
		bindings []byte
		change   func([]byte)
		want     string
	}{
		{"the right password", client, client.Bindings, unchanged, "accepted "},
		{"a wrong password", Client{User: client.User, Password: []byte("wrong"), Target: client.Target, Bindings: client.Bindings}, client.Bindings, unchanged, "refused "},
		{"another connection", client, []byte("tls-server-end-point:other"), unchanged, "refused "},
		{"an altered message", client, client.Bindings, func(m []byte) { m[64] ^= 1 }, "refused "},
	} {
		t.Run(c.name, func(t *testing.T) {
			if said := acceptByGSS(t, c.client, c.bindings, c.change); !strings.HasPrefix(said, c.want) {
				t.Errorf("the acceptor says %q, want %q", said, c.want)
			}
		})
	}
}
