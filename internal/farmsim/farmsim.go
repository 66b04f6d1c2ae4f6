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

// Farm is a running farm. Its folder holds:
//
//	ca.pem           the authority of the servers' certificates
//	password         the account's password
//	pfx-password     the password of the PFX files
//	certificates/    the PFX files, newest generation last
//	farmtrust.yaml   a configuration for this farm
//
// Its methods are safe for concurrent use.
type Farm struct {
	// World is the state of all machines and products, for tests.
	World *model.World
	// Faults are what is still to go wrong.
	Faults *fault.Plan

	options   Options
	files     files
	password  string
	authority *certificateAuthority
	servers   []*server
	engine    *pwsh.Engine
	// detached are the scripts whose caller is gone; close ends them.
	detached sync.WaitGroup
	ctx      context.Context
	close    context.CancelFunc

	mu          sync.Mutex
	refused     int
	generations int
	// lastStart is the beginning of the newest certificate's validity.
	lastStart time.Time
}

// FarmName is the name of the simulated farm in its configuration.
const FarmName = "contoso"

// Start builds a farm, writes its files and opens its endpoints, which serve
// until [Farm.Close].
func Start(ctx context.Context, o Options) (*Farm, error) {
	if err := o.Check(); err != nil {
		return nil, fmt.Errorf("start simulated farm: %w", err)
	}
	o = o.withDefaults()
	a, err := newCertificateAuthority(time.Now())
	if err != nil {
		return nil, fmt.Errorf("start simulated farm: %w", err)
	}
	f := &Farm{
		World: model.New(o.Policy), Faults: &fault.Plan{}, options: o,
		files: files{dir: o.Dir, pfxPassword: rand.Text()}, password: rand.Text(), authority: a,
	}
	f.ctx, f.close = context.WithCancel(context.WithoutCancel(ctx))
	// Generations begin an hour ago, each a second after the one before, so
	// that a new one is both newer and valid at once.
	f.lastStart = time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := errors.Join(f.buildFarm(), ctx.Err()); err != nil {
		return nil, errors.Join(fmt.Errorf("start simulated farm: %w", err), f.Close())
	}
	return f, nil
}

// buildFarm makes the world, its endpoints and its files, in this order.
func (f *Farm) buildFarm() (err error) {
	if err := f.buildWorld(); err != nil {
		return err
	}
	if f.options.PowerShell != "" {
		start := pwsh.Start
		if f.options.SharedPowerShell {
			start = pwsh.StartShared
		}
		if f.engine, err = start(f.options.PowerShell); err != nil {
			return err
		}
	}
	if !f.options.WithoutWire {
		for _, server := range f.servers {
			if err := server.startEndpoint(f.authority); err != nil {
				return err
			}
		}
	}
	if err := f.writeFiles(); err != nil {
		return err
	}
	if _, err := f.IssueCertificate(oneYear); err != nil {
		return err
	}
	return nil
}

const oneYear = 365 * 24 * time.Hour

// Close ends all endpoints. Files stay. The error says which scripts changed something
// on a server while another one could have changed it too; see [model.World.Unguarded].
func (f *Farm) Close() error {
	f.close()
	f.detached.Wait()
	var all []error
	for _, text := range f.World.Unguarded() {
		all = append(all, errors.New(text))
	}
	for _, server := range f.servers {
		if server.endpoint != nil {
			all = append(all, server.endpoint.Close())
		}
	}
	if f.engine != nil {
		all = append(all, f.engine.Close())
	}
	return errors.Join(all...)
}

// IssueCertificate puts a PFX with the next generation of the S2S certificate
// into the certificate folder. It is valid at once, for validFor from now, and
// became valid after those before it.
func (f *Farm) IssueCertificate(validFor time.Duration) (Issued, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g, err := f.nextGeneration(validFor)
	if err != nil {
		return Issued{}, err
	}
	path, err := f.files.writePFX(f.generations, g)
	if err != nil {
		return Issued{}, err
	}
	return Issued{Thumbprint: g.thumbprint(), Path: path, NotAfter: g.cert.NotAfter}, nil
}

// nextGeneration makes the next generation. The caller holds mu.
func (f *Farm) nextGeneration(validFor time.Duration) (generation, error) {
	f.generations++
	f.lastStart = f.lastStart.Add(time.Second)
	return f.authority.issueS2S(f.generations, f.lastStart, time.Now().Add(validFor), f.options)
}

// oldGeneration makes a generation that was issued long ago and ends soon.
func (f *Farm) oldGeneration(endsIn time.Duration) (generation, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.generations++
	return f.authority.issueS2S(f.generations, f.authority.root.NotBefore, time.Now().Add(endsIn), f.options)
}

// AddFaults plans faults, in order. None is planned if one of them could never
// happen.
func (f *Farm) AddFaults(faults ...fault.Fault) error {
	places := fault.Places{Servers: f.Hosts(), Steps: scripts.Names(), Services: f.World.Services()}
	for i, one := range faults {
		if err := one.Check(places); err != nil {
			return fmt.Errorf("fault %d: %w", i+1, err)
		}
	}
	f.Faults.Add(faults...)
	return nil
}

// ClearFaults forgets all planned faults and lifts every condition that one made
// true. Services that stopped stay stopped until they are started.
func (f *Farm) ClearFaults() {
	f.Faults.Clear()
	f.World.LiftConditions()
}

// Pending lists the faults that are still to happen.
func (f *Farm) Pending() []fault.Fault { return f.Faults.Pending() }

// Reboot takes a machine down for a time, with its WinRM service: shells and
// connections are gone.
func (f *Farm) Reboot(host string, downtime time.Duration) error {
	server, ok := f.findServer(host)
	if !ok {
		return fmt.Errorf("reboot %s: no such server", host)
	}
	if err := f.World.Reboot(server.host, downtime); err != nil {
		return fmt.Errorf("reboot: %w", err)
	}
	if server.endpoint != nil {
		server.endpoint.Reset()
	}
	return nil
}

// Stats are what a server's WinRM service has seen; zero without a wire.
func (f *Farm) Stats(host string) wsman.Stats {
	server, ok := f.findServer(host)
	if !ok || server.endpoint == nil {
		return wsman.Stats{}
	}
	return server.endpoint.Stats()
}

// Hosts lists the DNS names of all servers.
func (f *Farm) Hosts() []string {
	hosts := make([]string, len(f.servers))
	for i, server := range f.servers {
		hosts[i] = server.host
	}
	return hosts
}

func (f *Farm) findServer(host string) (*server, bool) {
	i := slices.IndexFunc(f.servers, func(v *server) bool { return strings.EqualFold(v.host, host) })
	if i < 0 {
		return nil, false
	}
	return f.servers[i], true
}
