package farmsim

import (
	"cmp"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// Options describe a simulated farm. Only Dir is required.
type Options struct {
	// Dir is an existing folder that the files of the farm are written to: see
	// [Farm].
	Dir string
	// OfficeServers, SharePointFarms and SharePointServers (in each farm) are
	// counts; 0 means 3, 1 and 2.
	OfficeServers, SharePointFarms, SharePointServers int
	// OtherOffices are further office farms, which the configuration lists as
	// others of the first: "dr" with the servers dr-01, dr-02 and so on.
	OtherOffices []OtherOffice
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
	// DistinctSubjects gives each S2S certificate a subject of its own; else all
	// have the same, as those that an authority renews.
	DistinctSubjects bool
	// Trusting starts with a farm that already trusts a certificate, which
	// ends in ten days; else nothing is set up yet.
	Trusting bool
	// Approval makes the configuration require an approval, as a farm of one's own
	// does by default; else it has none.
	Approval bool
	// RemoteSQL puts SharePoint's databases where sessions cannot reach them.
	RemoteSQL bool
	// RunAs is how SharePoint cmdlets are run, empty means farm.Direct. With
	// farm.Task the task is installed on every front end.
	RunAs farm.RunAs
	// Skew is how far the clocks of servers are ahead, by host.
	Skew map[string]time.Duration
	// Shells are servers whose remote shell is not as it should be, by host.
	Shells map[string]Shell
	// LockAfter is how many logons with a wrong password lock the account, on all servers
	// together; 0 is any number.
	LockAfter int
	// Latency is how long each script takes, by its name; "" is for all
	// others.
	Latency map[string]time.Duration
	// Policy decides what public sources leave open.
	Policy model.Policy
	// Hooks are called when something reaches the servers.
	Hooks Hooks
	// PowerShell is the path of a PowerShell that really runs what the servers
	// receive, with stubs for Windows and the products; empty means the port of
	// the scripts to Go. See [pwsh.Find].
	PowerShell string
	// SharedPowerShell runs them in a few processes instead of one each; see
	// [pwsh.StartShared] for what is then not simulated.
	SharedPowerShell bool
	// Listen is the address that each endpoint listens on, with port 0; empty means
	// 127.0.0.1.
	Listen string
	// WithoutWire starts no endpoints: calls go through [Farm.Runner] only.
	WithoutWire bool
}

// OtherOffice is an office farm beside the first.
type OtherOffice struct {
	Name string
	// Servers is how many it has; 0 means 1.
	Servers int
	// NotSetUp starts it without an S2S certificate in a farm that is
	// [Options.Trusting].
	NotSetUp bool
}

// Hooks are called with what reaches the servers, as a log on them could hold
// it; fields may be nil. They are called from many goroutines at once.
type Hooks struct {
	// CommandLine is called with a command that is to be run, whole.
	CommandLine func(host, line string)
	// ScriptEnded is called with a script that ran to its end and its result,
	// nil when the script refused. Whether the caller got the answer is another
	// matter. Scripts that run in a PowerShell are not reported.
	ScriptEnded func(host string, call powershell.Envelope, result any)
	// Answer returns what a hostile server answers in the place of the result of a
	// script that ran to its end: the result, for a server in good order. It is not
	// called for scripts that run in a PowerShell.
	Answer func(host, script string, result any) any
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

// Check returns everything that is wrong with the options.
func (o Options) Check() error {
	o = o.withDefaults()
	var wrong []error
	between := func(what string, n, most int) {
		if n < 1 || n > most {
			wrong = append(wrong, fmt.Errorf("%s: %d is not between 1 and %d", what, n, most))
		}
	}
	between("office servers", o.OfficeServers, maxOffice)
	names := map[string]bool{"oos": true} // so are the servers of the first one called
	for _, other := range o.OtherOffices {
		if other.Name == "" {
			wrong = append(wrong, errors.New(`office farm "" has no name`))
		} else if names[other.Name] {
			wrong = append(wrong, fmt.Errorf("office farm %q is named twice", other.Name))
		}
		names[other.Name] = true
		between("office servers of "+other.Name, max(other.Servers, 1), maxOffice)
	}
	between("SharePoint farms", o.SharePointFarms, maxSharePoint)
	between("servers of a SharePoint farm", o.SharePointServers, maxSharePoint)
	if _, ok := versions[o.SharePoint]; !ok {
		wrong = append(wrong, fmt.Errorf("SharePoint %q is not one of 2016, 2019 and SE", o.SharePoint))
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
