package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// InspectFarm observes every server of a farm, at most as many at the same time as
// the farm's policy allows, and compares what they show with what is desired. It
// changes nothing. A server that cannot be observed is reported with its problem, and
// then nothing is compared. It fails with [UnknownFarm], which is retried soon: an
// operator may wait for the answer that a farm's name is mistyped. It may be called
// without Temporal too, by a program that looks at a farm itself.
func (a *Activities) InspectFarm(ctx context.Context, name string) (farm.Inspection, error) {
	stop := startHeartbeat(ctx)
	defer stop()
	f, err := a.LoadFarm(ctx, name)
	if err != nil {
		return farm.Inspection{}, retrySoon(err)
	}
	n := farm.Inspection{Farm: f.Name, Config: f}
	choice, chooseErr := a.chooseForInspection(ctx, f.Name)
	if chooseErr != nil {
		n.Findings = append(n.Findings, farm.Finding{Code: "no-certificate", Severity: farm.Stop, Text: problemText(chooseErr)})
	}
	n.Target, n.Findings = choice.Certificate, append(n.Findings, choice.Findings...)
	observed, problems := a.observeFarm(ctx, f, n.Target)
	if err := interruption(ctx, len(problems) > 0); err != nil {
		return farm.Inspection{}, err
	}
	n.AddServers(observed, problems)
	n.Certificates = identify(n.Target, observed, farm.StoreCertificate{})
	if n.At = a.Now(); len(problems) > 0 {
		return n, nil
	}
	if observed.IsSetUp() {
		n.RefreshDoubt = observed.RefreshDoubt()
	}
	n.Current, _ = observed.Current()
	n.Certificates = identify(n.Target, observed, n.Current)
	if chooseErr != nil {
		return n, nil
	}
	comparison, err := a.Compare(ctx, CompareInput{Farm: f, Target: n.Target, Observed: observed})
	if err != nil {
		return farm.Inspection{}, err
	}
	comparison.AddTo(&n, observed)
	return n, nil
}

// LookAtRefreshInput names a farm and the certificates that it may use now.
type LookAtRefreshInput struct {
	Farm     string           `json:"farm"`
	Target   farm.Certificate `json:"target"`
	Previous farm.Thumbprint  `json:"previous,omitempty"`
	// Except are the office servers that the run leaves out from the start.
	Except []string `json:"except,omitempty"`
}

// LookAtRefresh observes a farm, and says why a data refresh fails now, or may fail; see
// [farm.Observed.RefreshDoubt]. It changes nothing.
func (a *Activities) LookAtRefresh(ctx context.Context, in LookAtRefreshInput) (string, error) {
	stop := startHeartbeat(ctx)
	defer stop()
	f, err := a.loadWithout(ctx, in.Farm, in.Except)
	if err != nil {
		return "", err
	}
	hosts := slices.Concat(f.OfficeHosts(), f.SharePointHosts())
	// An operator waits for this to be shown what is blocked.
	brief, cancel := context.WithTimeoutCause(ctx, readTimeout, fmt.Errorf("no answer within %s", readTimeout))
	defer cancel()
	readings, problems := a.readServers(brief, f, hosts, in.Target, everywhere(in.Previous))
	if err := interruption(ctx, len(problems) > 0); err != nil {
		return "", err
	}
	for _, host := range hosts {
		if problem := problems[host]; problem != "" {
			return fmt.Sprintf("%s cannot be read: %s", host, problem), nil
		}
	}
	return readings.Observed(f).RefreshDoubt(), nil
}

// interruption returns why an inspection must not be believed: it was cut off, and
// what failed is only a consequence.
func interruption(ctx context.Context, failed bool) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case <-workerStops(ctx):
		if failed {
			return errWorkerStops
		}
	default:
	}
	return nil
}

// choiceTimeout covers a slow certificate store.
const choiceTimeout = time.Minute

func (a *Activities) chooseForInspection(ctx context.Context, name string) (TargetChoice, error) {
	ctx, cancel := context.WithTimeout(ctx, choiceTimeout)
	defer cancel()
	return a.ChooseTarget(ctx, name)
}

// observeFarm observes every server, and returns by host what keeps one from being
// observed.
func (a *Activities) observeFarm(ctx context.Context, f farm.Farm, target farm.Certificate) (farm.Observed, map[string]string) {
	hosts := slices.Concat(f.OfficeHosts(), f.SharePointHosts())
	readings, problems := a.readServers(ctx, f, hosts, target, everywhere(""))
	observed := readings.Observed(f)
	if len(problems) > 0 {
		return observed, problems
	}
	current, unproven := observed.UnprovenCurrent(target.Thumbprint)
	if !unproven {
		return observed, nil
	}
	readings, problems = a.readServers(ctx, f, hosts, target, everywhere(current))
	return readings.Observed(f), problems
}

// everywhere is a certificate that is the same on every server.
func everywhere(t farm.Thumbprint) func(host string) farm.Thumbprint {
	return func(string) farm.Thumbprint { return t }
}

// readServers reads office servers and SharePoint servers, bounded together, and waits
// for all of them. Previous names the certificate that a rollback would restore.
func (a *Activities) readServers(ctx context.Context, f farm.Farm, hosts []string, target farm.Certificate, previous func(host string) farm.Thumbprint) (farm.Readings, map[string]string) {
	results := make([]farm.Reading, len(hosts))
	failures := make([]error, len(hosts))
	atOnce(f, len(hosts), func(i int) {
		in := ObserveInput{ServerInput: ServerInput{Farm: f.Name, Host: hosts[i], Target: target}, Previous: previous(hosts[i])}
		results[i], failures[i] = a.readServer(ctx, f, in)
	})
	readings, problems := farm.Readings{}, map[string]string{}
	for i, host := range hosts {
		if readings[host] = results[i]; failures[i] != nil {
			problems[host] = problemText(failures[i])
		}
	}
	withhold(readings, hosts, problems)
	return readings, problems
}

// withhold takes out what the servers have shown that show the most, until the rest is
// no more than is kept, and makes that their problem.
func withhold(readings farm.Readings, hosts []string, problems map[string]string) {
	for tooMuch := readings.FindTooMuch(hosts); tooMuch != nil; tooMuch = readings.FindTooMuch(hosts) {
		readings[tooMuch.Host], problems[tooMuch.Host] = farm.Reading{}, tooMuch.Error()
	}
}

// atOnce calls do with each number below n, as many at the same time as the farm's policy
// allows, and waits for all.
func atOnce(f farm.Farm, n int, do func(i int)) {
	slots := make(chan struct{}, max(f.Rotation.AtOnce, 1))
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			do(i)
		})
	}
	group.Wait()
}

// readServer reads one server. A panic is that server's failure, as Temporal makes it
// the activity's where it can catch it.
func (a *Activities) readServer(ctx context.Context, f farm.Farm, in ObserveInput) (reading farm.Reading, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	if _, office := f.OfficeServer(in.Host); office {
		reading.Office, err = readTwice(ctx, a.Poll, in, a.ObserveOffice)
		return reading, err
	}
	if f.IsFrontEnd(in.Host) {
		if reading.Farm, err = readTwice(ctx, a.Poll, in.ServerInput, a.ObserveSharePoint); err != nil {
			return farm.Reading{}, err
		}
	}
	reading.SharePoint, err = readTwice(ctx, a.Poll, in.ServerInput, a.ObserveSharePointServer)
	return reading, err
}

// readTimeout is how long a server may take to show its state. Loading the SharePoint
// snap-in takes tens of seconds.
const readTimeout = 2 * time.Minute

// readTwice reads a server, and once more when the error may pass. An inspection says
// what is wrong now rather than waiting for it to pass.
func readTwice[I, R any](ctx context.Context, pause time.Duration, in I, read func(context.Context, I) (R, error)) (R, error) {
	result, err := readWithin(ctx, in, read)
	if err == nil || ctx.Err() != nil {
		return result, err
	}
	if application, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		if application.NonRetryable() {
			return result, err
		}
		pause = max(pause, application.NextRetryDelay())
	}
	if err := sleepBetweenPolls(ctx, pause); err != nil {
		return result, err
	}
	return readWithin(ctx, in, read)
}

func readWithin[I, R any](ctx context.Context, in I, read func(context.Context, I) (R, error)) (R, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, readTimeout, fmt.Errorf("no answer within %s", readTimeout))
	defer cancel()
	return read(ctx, in)
}

// problemText is what an operator should read of an error: its own words, without its
// type.
func problemText(err error) string {
	if application, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return application.Message()
	}
	return err.Error()
}
