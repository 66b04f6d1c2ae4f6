package farmsim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/wsman"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// server is one simulated server: what is behind its WinRM service.
type server struct {
	sim  *Sim
	host string
	auth model.Auth

	endpoint *wsman.Endpoint
}

// maxStdin is far above the largest call, in bytes.
const maxStdin = 8 << 20

func (s *server) logon() model.Logon {
	return model.Logon{User: s.sim.user(s.auth), Auth: s.auth, Filtered: s.sim.options.Shells[s.host].Filtered}
}

// start opens the server's WinRM service.
func (s *server) start(a *authority) error {
	certificate, err := a.server(s.host)
	if err != nil {
		return err
	}
	offers := []wsman.Auth{wsman.NTLM}
	if s.auth == model.Basic {
		offers = []wsman.Auth{wsman.Basic}
	}
	s.endpoint, err = wsman.Start(wsman.Options{
		Name: s.host, Certificate: certificate, Offers: offers,
		Password: s.sim.passwordOf, Disrupt: s.disrupt,
	}, s)
	return err
}

// Run implements [wsman.Host]: it knows the one command line of every call,
// and two commands with which other clients can try the connection.
func (s *server) Run(ctx context.Context, c wsman.Command) (wsman.Result, error) {
	text := strings.TrimSpace(c.Text())
	name, rest, _ := strings.Cut(text, " ")
	switch {
	case text == powershell.CommandLine():
		return s.script(ctx, c)
	case strings.EqualFold(text, "hostname"):
		label, _, _ := strings.Cut(s.host, ".")
		return wsman.Result{Stdout: []byte(strings.ToUpper(label) + "\r\n")}, nil
	case strings.EqualFold(name, "echo") && rest != "":
		return wsman.Result{Stdout: []byte(rest + "\r\n")}, nil
	}
	return unknownCommand(name), nil
}

// unknownCommand is what cmd.exe says of a program that it does not find.
func unknownCommand(name string) wsman.Result {
	return wsman.Result{
		Stderr: fmt.Appendf(nil, "'%s' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n", name),
		Exit:   1,
	}
}

// script reads an envelope and does what it asks for.
func (s *server) script(ctx context.Context, c wsman.Command) (wsman.Result, error) {
	stdin, err := io.ReadAll(io.LimitReader(c.Stdin, maxStdin))
	if err != nil {
		return wsman.Result{}, fmt.Errorf("read standard input: %w", err)
	}
	envelope, err := powershell.Open(stdin)
	if err != nil {
		return wsman.Result{Stdout: []byte("@@BAD stdin\r\n"), Exit: powershell.ExitBadStdin}, nil
	}
	out, err := s.sim.call(ctx, s.host, s.logon(), envelope)
	var met interruption
	switch {
	case errors.Is(err, errUnknown):
		return unknownCommand(envelope.Name), nil
	case errors.As(err, &met):
		return out, disruption(met.Fault)
	case errors.Is(err, model.ErrDown):
		return wsman.Result{}, wsman.Disruption{Kind: wsman.Refuse}
	}
	return out, err
}

// disrupt is asked for each connection and each request.
func (s *server) disrupt(p wsman.Point) wsman.Disruption {
	if !s.sim.World.Up(s.host) {
		return wsman.Disruption{Kind: wsman.Refuse}
	}
	kinds := []fault.Kind{fault.Unauthorized, fault.SOAPFault}
	if p.Stage == wsman.Connecting {
		kinds = []fault.Kind{fault.Refused}
	}
	f, due := s.sim.Faults.Connection(s.host, kinds...)
	if !due {
		return wsman.Disruption{}
	}
	var answer *wsman.Fault
	if err := disruption(f); errors.As(err, &answer) {
		return wsman.Disruption{Kind: wsman.Answer, Fault: answer}
	}
	return wsman.Disruption{Kind: onWire[f.Kind]}
}

var onWire = map[fault.Kind]wsman.Kind{
	fault.Refused: wsman.Refuse, fault.Dropped: wsman.Drop, fault.Unauthorized: wsman.Unauthorized,
	fault.Hang: wsman.Hang, fault.Reboot: wsman.Refuse,
}

// disruption is a fault as the error of a command.
func disruption(f fault.Fault) error {
	if f.Kind != fault.SOAPFault {
		return wsman.Disruption{Kind: onWire[f.Kind], Delay: time.Duration(f.Delay)}
	}
	known := []*wsman.Fault{
		wsman.TimedOut(), wsman.UnknownShell(), wsman.AccessDenied(), wsman.Busy(), wsman.Aborted(), wsman.ProfileUnloading(),
	}
	if at := slices.IndexFunc(known, func(k *wsman.Fault) bool { return k.Code == f.Code }); at >= 0 {
		return known[at]
	}
	if isQuota(f.Code) {
		const shells = 30 // MaxShellsPerUser
		return wsman.QuotaLimit(wsman.Quota(f.Code), shells)
	}
	return &wsman.Fault{Subcode: "w:InternalError", Code: f.Code, Message: "The simulated server was told to answer this fault. "}
}
