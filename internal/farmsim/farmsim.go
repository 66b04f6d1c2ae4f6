// Package farmsim is a farm in memory: office servers, SharePoint farms and
// their certificates, each server behind a WS-Management endpoint of its own
// that any WinRM client can use.
//
// It is for demonstrations and tests. Production code never imports it and
// never knows that a server is simulated: the simulation sits at the wire.
package farmsim

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/pwsh"
	"github.com/farmtrust/farmtrust/internal/farmsim/scripts"
	"github.com/farmtrust/farmtrust/internal/farmsim/wsman"
)

// Sim is a running farm. Its folder holds:
//
//	ca.pem           the authority of the servers' certificates
//	password         the account's password
//	pfx-password     the password of the PFX files
//	certificates/    the PFX files, newest generation last
//	farmtrust.yaml   a configuration for this farm
//
// Its methods are safe for concurrent use.
type Sim struct {
	// World is the state of all machines and products, for tests.
	World *model.World
	// Faults are what is still to go wrong.
	Faults *fault.Plan

	options   Options
	files     files
	password  string
	authority *authority
	servers   []*server
	engine    *pwsh.Engine

	mu          sync.Mutex
	generations int
	// lastStart is the beginning of the newest certificate's validity.
	lastStart time.Time
}

// FarmName is the name of the simulated farm in its configuration.
const FarmName = "contoso"

// Start builds a farm, writes its files and opens its endpoints, which serve
// until [Sim.Close].
func Start(ctx context.Context, o Options) (*Sim, error) {
	if err := o.Check(); err != nil {
		return nil, fmt.Errorf("start simulated farm: %w", err)
	}
	o = o.withDefaults()
	a, err := newAuthority(time.Now())
	if err != nil {
		return nil, fmt.Errorf("start simulated farm: %w", err)
	}
	s := &Sim{
		World: model.New(o.Policy), Faults: &fault.Plan{}, options: o,
		files: files{dir: o.Dir, pfxPassword: rand.Text()}, password: rand.Text(), authority: a,
	}
	// Generations begin an hour ago, each a second after the one before, so
	// that a new one is both newer and valid at once.
	s.lastStart = time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := errors.Join(s.build(), ctx.Err()); err != nil {
		return nil, errors.Join(fmt.Errorf("start simulated farm: %w", err), s.Close())
	}
	return s, nil
}

// build makes the world, its endpoints and its files, in this order.
func (s *Sim) build() (err error) {
	if err := s.buildWorld(); err != nil {
		return err
	}
	if s.options.PowerShell != "" {
		if s.engine, err = pwsh.Start(s.options.PowerShell); err != nil {
			return err
		}
	}
	if !s.options.WithoutWire {
		for _, server := range s.servers {
			if err := server.start(s.authority); err != nil {
				return err
			}
		}
	}
	if err := s.writeFiles(); err != nil {
		return err
	}
	if _, err := s.IssueCertificate(oneYear); err != nil {
		return err
	}
	return nil
}

const oneYear = 365 * 24 * time.Hour

// Close ends all endpoints. Files stay.
func (s *Sim) Close() error {
	var all []error
	for _, server := range s.servers {
		if server.endpoint != nil {
			all = append(all, server.endpoint.Close())
		}
	}
	if s.engine != nil {
		all = append(all, s.engine.Close())
	}
	return errors.Join(all...)
}

// IssueCertificate puts a PFX with the next generation of the S2S certificate
// into the certificate folder. It is valid at once, for validFor from now, and
// became valid after those before it.
func (s *Sim) IssueCertificate(validFor time.Duration) (Issued, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.next(validFor)
	if err != nil {
		return Issued{}, err
	}
	path, err := s.files.writePFX(s.generations, g)
	if err != nil {
		return Issued{}, err
	}
	return Issued{Thumbprint: g.thumbprint(), Path: path, NotAfter: g.cert.NotAfter}, nil
}

// next makes the next generation. The caller holds mu.
func (s *Sim) next(validFor time.Duration) (generation, error) {
	s.generations++
	s.lastStart = s.lastStart.Add(time.Second)
	return s.authority.s2s(s.generations, s.lastStart, time.Now().Add(validFor), s.options.SelfSigned)
}

// old makes a generation that was issued long ago and ends soon.
func (s *Sim) old(endsIn time.Duration) (generation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.generations++
	return s.authority.s2s(s.generations, s.authority.root.NotBefore, time.Now().Add(endsIn), s.options.SelfSigned)
}

// AddFaults plans faults, in order. None is planned if one of them could never
// happen.
func (s *Sim) AddFaults(faults ...fault.Fault) error {
	places := fault.Places{Servers: s.Hosts(), Steps: scripts.Names()}
	for i, f := range faults {
		if err := f.Check(places); err != nil {
			return fmt.Errorf("fault %d: %w", i+1, err)
		}
	}
	s.Faults.Add(faults...)
	return nil
}

// ClearFaults forgets all planned faults.
func (s *Sim) ClearFaults() { s.Faults.Clear() }

// Pending lists the faults that are still to happen.
func (s *Sim) Pending() []fault.Fault { return s.Faults.Pending() }

// Reboot takes a machine down for a time, with its WinRM service: shells and
// connections are gone.
func (s *Sim) Reboot(host string, downtime time.Duration) error {
	server, ok := s.server(host)
	if !ok {
		return fmt.Errorf("reboot %s: no such server", host)
	}
	if err := s.World.Reboot(server.host, downtime); err != nil {
		return fmt.Errorf("reboot: %w", err)
	}
	if server.endpoint != nil {
		server.endpoint.Reset()
	}
	return nil
}

// Stats are what a server's WinRM service has seen; zero without a wire.
func (s *Sim) Stats(host string) wsman.Stats {
	server, ok := s.server(host)
	if !ok || server.endpoint == nil {
		return wsman.Stats{}
	}
	return server.endpoint.Stats()
}

// Hosts lists the DNS names of all servers.
func (s *Sim) Hosts() []string {
	hosts := make([]string, len(s.servers))
	for i, server := range s.servers {
		hosts[i] = server.host
	}
	return hosts
}

func (s *Sim) server(host string) (*server, bool) {
	i := slices.IndexFunc(s.servers, func(v *server) bool { return strings.EqualFold(v.host, host) })
	if i < 0 {
		return nil, false
	}
	return s.servers[i], true
}
