package farmsim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/wsman"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// findServer is one simulated server: what is behind its WinRM service. It is the
// one way in for calls, which arrive over the wire or from [Farm.Runner].
type server struct {
	farm *Farm
	host string
	auth model.Auth

	// endpoint is nil without a wire.
	endpoint *wsman.Endpoint
}

func (s *server) logon() model.Logon {
	return model.Logon{User: s.farm.userName(s.auth), Auth: s.auth, Filtered: s.shell().Filtered}
}

// shell is what a call runs in.
func (s *server) shell() Shell { return s.farm.options.Shells[s.host] }

// startEndpoint opens the server's WinRM service.
func (s *server) startEndpoint(a *certificateAuthority) error {
	certificate, err := a.serverCertificate(s.host)
	if err != nil {
		return err
	}
	offers := []wsman.Auth{wsman.NTLM}
	if s.auth == model.Basic {
		offers = []wsman.Auth{wsman.Basic}
	}
	s.endpoint, err = wsman.Start(wsman.Options{
		Addr: s.farm.options.Listen, Name: s.host, Certificate: certificate, Offers: offers,
		Password: s.farm.passwordOf, Refused: s.farm.noteRefused, Disrupt: s.disrupt,
	}, s)
	return err
}

// scriptCommand is the one command line of every call.
var scriptCommand = sync.OnceValue(powershell.CommandLine)

// Run implements [wsman.Host]. It knows the command line of every call, and two
// commands with which other clients can try the connection.
func (s *server) Run(ctx context.Context, c wsman.Command) (wsman.Result, error) {
	text := strings.TrimSpace(c.Text())
	if hook := s.farm.options.Hooks.CommandLine; hook != nil {
		hook(s.host, text)
	}
	name, rest, _ := strings.Cut(text, " ")
	switch {
	case text == scriptCommand():
		return s.runCall(ctx, c.Stdin)
	case strings.EqualFold(text, "hostname"):
		label, _, _ := strings.Cut(s.host, ".")
		return wsman.Result{Stdout: []byte(strings.ToUpper(label) + "\r\n")}, nil
	case strings.EqualFold(name, "echo") && rest != "":
		return wsman.Result{Stdout: []byte(rest + "\r\n")}, nil
	}
	return unknownCommand(name), nil
}

// unknownCommand is what cmd.exe prints about a program that it does not find.
func unknownCommand(name string) wsman.Result {
	return wsman.Result{
		Stderr: fmt.Appendf(nil, "'%s' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n", name),
		Exit:   1,
	}
}

// maxStdin is far above the largest call, in bytes.
const maxStdin = 8 << 20

// runCall reads an envelope and does what it asks for.
func (s *server) runCall(ctx context.Context, input io.Reader) (wsman.Result, error) {
	stdin, err := io.ReadAll(io.LimitReader(input, maxStdin))
	if err != nil {
		return wsman.Result{}, fmt.Errorf("read standard input: %w", err)
	}
	envelope, err := powershell.Open(stdin)
	if err != nil {
		return wsman.Result{Stdout: []byte("@@BAD stdin\r\n"), Exit: powershell.ExitBadStdin}, nil
	}
	return s.handleEnvelope(ctx, envelope)
}

// handleEnvelope does what an envelope asks for. A machine that goes down
// meanwhile refuses connections.
func (s *server) handleEnvelope(ctx context.Context, e powershell.Envelope) (wsman.Result, error) {
	result, err := s.runEnvelope(ctx, e)
	if errors.Is(err, model.ErrDown) {
		err = errors.Join(wsman.Disruption{Kind: wsman.Refused}, err)
	}
	return result, err
}
