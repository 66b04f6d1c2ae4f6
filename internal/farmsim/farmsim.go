// Package farmsim is a farm in memory: office servers, SharePoint farms and
// their certificates, each server behind a WS-Management endpoint of its own
// that any WinRM client can use.
//
// It is for demonstrations and tests. Production code never imports it and
// never knows that a server is simulated: the simulation sits at the wire.
package farmsim

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/engine"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/wsman"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// Options describe a simulated farm. Only Dir is required.
type Options struct {
	// Dir is an existing folder that the files of the farm are written to: see
	// [Sim].
	Dir string
	// OfficeServers, SharePointFarms and SharePointServers (in each farm) are
	// counts; 0 means 3, 1 and 2.
	OfficeServers, SharePointFarms, SharePointServers int
	// SharePoint is "2016", the default, "2019" or "SE".
	SharePoint string
	// OfficeBuilds are the Windows builds of the office servers in turn;
	// empty means Server 2016 and Server 2019.
	OfficeBuilds []int
	// Auth is what the office servers offer; empty means NTLM. SharePoint
	// servers always offer NTLM: accounts of basic authentication are local
	// and cannot reach SharePoint's database.
	Auth model.Auth
	// SelfSigned makes S2S certificates self-signed; else a throw-away
	// authority of two tiers issues them.
	SelfSigned bool
	// Trusting starts with a farm that already trusts a certificate, which
	// ends in ten days; else nothing is set up yet.
	Trusting bool
	// RemoteSQL puts SharePoint's databases where sessions cannot reach them.
	RemoteSQL bool
	// RunAs is how SharePoint cmdlets are run, empty means farm.Direct. With
	// farm.Task the task is installed on every front end.
	RunAs farm.RunAs
	// Skew is how far the clocks of servers are ahead, by host.
	Skew map[string]time.Duration
	// Shells are servers whose remote shell is not as it should be, by host.
	Shells map[string]Shell
	// Latency is how long each script takes, by its name; "" is for all
	// others.
	Latency map[string]time.Duration
	// Policy decides what public sources leave open.
	Policy model.Policy
	// Witness sees what reaches the servers.
	Witness Witness
	// PowerShell is the path of a PowerShell that really runs what the servers
	// receive, with stand-ins for Windows and the products; empty means the
	// models of the scripts. See [engine.Find].
	PowerShell string
	// WithoutWire starts no endpoints: calls go through [Sim.Runner] only.
	WithoutWire bool
}

// Witness is told what reaches the servers, as a log on them could hold it;
// fields may be nil. It is called from many goroutines at once.
type Witness struct {
	// CommandLine is a command that a shell was asked to run, whole.
	CommandLine func(host, line string)
	// Acted is a script that ran to its end, with its result; nil when the
	// script said no. Whether the caller got the answer is another matter.
	Acted func(host string, call powershell.Envelope, result any)
}

// Shell is what a call runs in on a server. The zero value is a 64-bit
// PowerShell in full language mode, of an administrator, without the FIPS
// policy.
type Shell struct {
	// LanguageMode is what a policy of AppLocker or WDAC sets, such as
	// "ConstrainedLanguage"; empty means full language.
	LanguageMode string
	// Bits32 is a 32-bit PowerShell.
	Bits32 bool
	// Filtered is a token without administrator rights.
	Filtered bool
	// FIPS is the policy that asks for validated cryptography only.
	FIPS bool
}

func (o Options) withDefaults() Options {
	o.OfficeServers = cmp.Or(o.OfficeServers, 3)
	o.SharePointFarms = cmp.Or(o.SharePointFarms, 1)
	o.SharePointServers = cmp.Or(o.SharePointServers, 2)
	o.SharePoint = cmp.Or(o.SharePoint, "2016")
	o.Auth = cmp.Or(o.Auth, model.NTLM)
	o.RunAs = cmp.Or(o.RunAs, farm.Direct)
	if len(o.OfficeBuilds) == 0 {
		o.OfficeBuilds = []int{14393, 17763}
	}
	return o
}

// The largest farm that is supported; see the configuration's limits.
const (
	maxOffice     = 100
	maxSharePoint = 10
)

// Check says everything that is wrong with the options.
func (o Options) Check() error {
	o = o.withDefaults()
	var wrong []error
	between := func(what string, n, most int) {
		if n < 1 || n > most {
			wrong = append(wrong, fmt.Errorf("%s: %d is not between 1 and %d", what, n, most))
		}
	}
	between("office servers", o.OfficeServers, maxOffice)
	between("SharePoint farms", o.SharePointFarms, maxSharePoint)
	between("servers of a SharePoint farm", o.SharePointServers, maxSharePoint)
	if _, ok := versions[o.SharePoint]; !ok {
		wrong = append(wrong, fmt.Errorf("SharePoint %q is none of 2016, 2019 and SE", o.SharePoint))
	}
	if o.Auth != model.Basic && o.Auth != model.NTLM {
		wrong = append(wrong, fmt.Errorf("authentication %q is neither basic nor ntlm", o.Auth))
	}
	if o.RunAs != farm.Direct && o.RunAs != farm.Task {
		wrong = append(wrong, fmt.Errorf("running SharePoint cmdlets %q is neither direct nor task", o.RunAs))
	}
	if o.PowerShell != "" {
		if _, err := exec.LookPath(o.PowerShell); err != nil {
			wrong = append(wrong, fmt.Errorf("PowerShell: %w", err))
		}
	}
	if o.Dir == "" {
		wrong = append(wrong, errors.New("no folder is given"))
	}
	return errors.Join(wrong...)
}

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
	engine    *engine.Engine

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
		if s.engine, err = engine.Start(s.options.PowerShell); err != nil {
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
	places := fault.Places{Servers: s.Hosts(), Steps: model.Scripts()}
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
