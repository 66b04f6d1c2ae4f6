package winrm

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/masterzen/winrm"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

// sendSize is how many bytes of standard input fit in one envelope: base64
// makes them a third longer, and the rest of the envelope takes under 4 KiB.
const sendSize = (envelopeSize - 4<<10) / 4 * 3

// output is what a command printed and how it ended.
type output struct {
	stdout, stderr []byte
	exit           int
	// lost is not nil when standard input may not have arrived as a whole.
	lost error
}

// conversation is one shell with one command in it.
type conversation struct {
	transport *transport
	session   *session
	client    *winrm.Client
	// shell is nil as long as none was made.
	shell *winrm.Shell
}

func newConversation(ctx context.Context, d *dialer, s *session) (*conversation, error) {
	t := &transport{
		operation: d.timeouts.Operation, answer: d.timeouts.Answer,
		stdinSent: make(chan struct{}), ctx: ctx, session: s,
	}
	seconds := max(1, int(d.timeouts.Operation.Seconds()))
	parameters := winrm.NewParameters(fmt.Sprintf("PT%dS", seconds), "en-US", envelopeSize)
	parameters.TransportDecorator = func() winrm.Transporter { return t }
	// The endpoint only names in each message where it goes to.
	endpoint := winrm.NewEndpoint(d.host, d.port, true, false, nil, nil, nil, 0)
	client, err := winrm.NewClientWithParameters(endpoint, "", "", parameters)
	if err != nil {
		return nil, fmt.Errorf("make WinRM client: %w", err)
	}
	return &conversation{transport: t, session: s, client: client}, nil
}

// run starts the bootstrap, gives it stdin, and returns when it ended or failed.
func (c *conversation) run(ctx context.Context, stdin []byte) (output, error) {
	shell, err := c.client.CreateShell()
	if err != nil {
		return output{}, c.because(err)
	}
	c.shell = shell
	// masterzen looks at its context only between requests; the transport looks
	// at ours during them.
	command, err := shell.ExecuteWithContext(context.WithoutCancel(ctx), powershell.CommandLine())
	if err != nil {
		return output{}, c.because(err)
	}
	var stdout, stderr bytes.Buffer
	var reading sync.WaitGroup
	reading.Go(func() { _, _ = io.Copy(&stdout, command.Stdout) }) // command.Error has what ended it
	reading.Go(func() { _, _ = io.Copy(&stderr, command.Stderr) })
	c.send(command, stdin)
	command.Wait()
	reading.Wait()
	if err := command.Error(); err != nil {
		return output{}, c.because(err)
	}
	return output{
		stdout: stdout.Bytes(), stderr: stderr.Bytes(),
		exit: command.ExitCode(), lost: c.transport.inputLost(),
	}, nil
}

// send writes stdin in pieces of one request each, the last with the end mark,
// and then lets output be asked for. What goes wrong is in the transport.
func (c *conversation) send(command *winrm.Command, stdin []byte) {
	defer close(c.transport.stdinSent)
	for len(stdin) > 0 && c.transport.inputLost() == nil {
		n := min(sendSize, len(stdin))
		c.transport.announce(n == len(stdin))
		if _, err := command.Stdin.Write(stdin[:n]); err != nil {
			return
		}
		stdin = stdin[n:]
	}
}

// because prefers the transport's reason to masterzen's.
func (c *conversation) because(err error) error {
	if cause := c.transport.failure(); cause != nil {
		return cause
	}
	return &problem{kind: powershell.Garbled, err: err}
}

// close deletes the shell, over a new session if its own is lost, and ends the
// connection.
func (c *conversation) close(ctx context.Context, d *dialer) error {
	defer func() { c.session.close() }()
	if c.shell == nil {
		return nil
	}
	if c.session.broken() {
		fresh, err := d.open(ctx)
		if err != nil {
			return fmt.Errorf("connect again: %w", err)
		}
		c.session = fresh
	}
	c.transport.use(ctx, c.session)
	if err := c.shell.Close(); err != nil {
		return c.because(err)
	}
	return nil
}
