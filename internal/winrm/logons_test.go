package winrm_test

import (
	"context"
	"crypto/elliptic"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/farmsim/wsman"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/internal/winrm"
)

// office is some servers with one account, and one worker that reaches them.
type office struct {
	*winrm.Runner

	targets    []powershell.Target
	connection *winrm.Connection

	mu sync.Mutex
	// password is the account's; servers in deny refuse even that. Refused counts the
	// logons with another one, on all servers.
	password string
	deny     []string
	refused  int
}

// startOffice starts servers, and a worker with the right password.
func startOffice(t *testing.T, auth winrm.Auth, count int) *office {
	t.Helper()
	o := &office{password: password, connection: &winrm.Connection{Auth: auth, User: user, Password: secretFile(t, password)}}
	for i := range count {
		name := fmt.Sprintf("oos-%02d.contoso.com", i+1)
		certificate, ca := issueCertificate(t, name, newKey(t, elliptic.P256()))
		o.connection.CA = append(o.connection.CA, ca...)
		e, err := wsman.Start(wsman.Options{
			Name: name, Certificate: certificate, Offers: []wsman.Auth{wsman.Auth(auth)},
			Password: func(string) (string, bool) { return o.passwordAt(name), true }, Refused: o.noteRefused,
		}, echoHost)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		})
		o.targets = append(o.targets, powershell.Target{Host: name, Address: e.Addr().String(), Connection: "office"})
	}
	o.restart(t)
	return o
}

// restart replaces the worker by another one.
func (o *office) restart(t *testing.T) {
	t.Helper()
	o.Runner = winrm.New(func(string) (winrm.Connection, error) { return *o.connection, nil }, zap.NewNop(), winrm.WithTimeouts(testTimeouts))
	t.Cleanup(o.Close)
}

func (o *office) passwordAt(name string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if slices.Contains(o.deny, name) {
		return "not " + o.password
	}
	return o.password
}

func (o *office) noteRefused(string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refused++
}

// callAll calls every server three times, all at once, and returns the errors by server.
func (o *office) callAll(ctx context.Context) map[string]error {
	errs, mu, calls := map[string]error{}, sync.Mutex{}, sync.WaitGroup{}
	for range 3 {
		for _, target := range o.targets {
			calls.Go(func() {
				err := o.Run(ctx, target, newCall(0), &echo{})
				mu.Lock()
				defer mu.Unlock()
				errs[target.Host] = errors.Join(errs[target.Host], err)
			})
		}
	}
	calls.Wait()
	return errs
}

// assertRefused checks how many wrong logons there were, and which servers could be called.
func (o *office) assertRefused(t *testing.T, errs map[string]error, logons int, called func(host string) bool) {
	t.Helper()
	if o.refused != logons {
		t.Errorf("%d logons with a wrong password, want %d", o.refused, logons)
	}
	for host, err := range errs {
		if called(host) != (err == nil) {
			t.Errorf("%s: %v", host, err)
		}
		if err == nil {
			continue
		}
		if refused := requireTransportError(t, err); refused.Kind != powershell.Denied {
			t.Errorf("%s: %v is of kind %s", host, err, refused.Kind)
		}
	}
}

func nowhere(string) bool    { return false }
func everywhere(string) bool { return true }

func TestLogons_AWrongPasswordIsTriedOnce(t *testing.T) {
	t.Parallel()
	for _, auth := range []winrm.Auth{winrm.NTLM, winrm.Basic} {
		t.Run(string(auth), func(t *testing.T) {
			t.Parallel()
			o := startOffice(t, auth, 10)
			o.password = "changed"
			errs := o.callAll(t.Context())
			o.assertRefused(t, errs, 1, nowhere)
			o.assertRefused(t, o.callAll(t.Context()), 1, nowhere)
			for _, err := range errs {
				for _, part := range []string{user, "1 attempt was made", "no server is sent it again", "farmtrust check FARM --retry-logon"} {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("%v does not say %q", err, part)
					}
				}
			}
			t.Log("the secret is another one")
			o.connection.Password = secretFile(t, "changed")
			o.assertRefused(t, o.callAll(t.Context()), 1, everywhere)
		})
	}
}

func TestLogons_APasswordThatWasGoodIsTriedTwice(t *testing.T) {
	t.Parallel()
	o := startOffice(t, winrm.NTLM, 10)
	o.assertRefused(t, o.callAll(t.Context()), 0, everywhere)
	o.mu.Lock()
	o.password = "changed"
	o.mu.Unlock()
	o.assertRefused(t, o.callOneByOne(t.Context()), 2, nowhere)
}

// callOneByOne calls every server, one after the other.
func (o *office) callOneByOne(ctx context.Context) map[string]error {
	errs := map[string]error{}
	for _, target := range o.targets {
		errs[target.Host] = o.Run(ctx, target, newCall(0), &echo{})
	}
	return errs
}

func TestLogons_OneServerThatRefusesEverybodyKeepsNobodyFromTheOthers(t *testing.T) {
	t.Parallel()
	for _, auth := range []winrm.Auth{winrm.NTLM, winrm.Basic} {
		t.Run(string(auth), func(t *testing.T) {
			t.Parallel()
			o := startOffice(t, auth, 4)
			o.assertRefused(t, o.callAll(t.Context()), 0, everywhere)
			bad := o.targets[2].Host
			o.mu.Lock()
			o.deny = []string{bad}
			o.mu.Unlock()
			for range 3 {
				o.assertRefused(t, o.callOneByOne(t.Context()), 1, func(host string) bool { return host != bad })
			}
		})
	}
}

func TestLogons_SomebodyMayHaveItTriedOnceMoreInHalfAnHour(t *testing.T) {
	t.Parallel()
	o := startOffice(t, winrm.NTLM, 4)
	o.password = "changed"
	o.assertRefused(t, o.callAll(t.Context()), 1, nowhere)
	for i, want := range []int{1, 0, 0} {
		if let := o.RetryLogon("office", "office"); let != want {
			t.Errorf("request %d lets %d passwords, want %d", i+1, let, want)
		}
		o.assertRefused(t, o.callAll(t.Context()), 2, nowhere)
	}
}
