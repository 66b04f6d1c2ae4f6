package activities_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

const (
	discovery = "https://office.contoso.com/hosting/discovery"
	portal    = "https://portal.contoso.com"
	teams     = "https://teams.contoso.com"
)

// restartedServer is a server after its restart, by its own looks and clock: each
// look takes ten seconds.
type restartedServer struct {
	began time.Time
	looks int
	// office and sharePoint are what a look shows, by how long ago the restart was;
	// nil is a server that is well.
	office     func(since time.Duration, seen *powershell.OfficeServer)
	sharePoint func(since time.Duration, seen *powershell.SharePointServer)
}

const lookTime = 10 * time.Second

func (s *restartedServer) now() time.Time { return s.began.Add(time.Duration(s.looks) * lookTime) }

// activities are those of a worker that watches the server for a minute.
func (s *restartedServer) activities() *activities.Activities {
	s.began = time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)
	machine := func() powershell.Machine {
		return powershell.Machine{Name: "OOS-01", Elevated: true, Clock: s.now()}
	}
	running := func(name string) powershell.Service {
		return powershell.Service{Name: name, Running: true, Since: &s.began}
	}
	return &activities.Activities{
		Farms: testFarm{healthyFor: time.Minute, sites: []string{portal, teams}}, Poll: time.Millisecond, Now: s.now,
		Remote: testServer{
			"Restart-OfficeServer": func(result any) error {
				*result.(*powershell.RestartResult) = powershell.RestartResult{Changed: true, Restarted: []string{"WACSM", "IIS"}} //nolint:forcetypeassert // the script's own result
				return nil
			},
			"Restart-SharePointServer": func(result any) error {
				*result.(*powershell.RestartResult) = powershell.RestartResult{Changed: true, Restarted: []string{"IIS", "SPTimerV4"}} //nolint:forcetypeassert // the script's own result
				return nil
			},
			"Get-OfficeServer": func(result any) error {
				since := s.now().Sub(s.began)
				s.looks++
				seen := powershell.OfficeServer{
					Machine: machine(), Joined: true, Service: running("WACSM"), WebServer: running("W3SVC"), Activation: running("WAS"),
					Discovery: powershell.Discovery{URL: discovery, Status: 200},
				}
				if s.office != nil {
					s.office(since, &seen)
				}
				*result.(*powershell.OfficeServer) = seen //nolint:forcetypeassert // the script's own result
				return nil
			},
			"Get-SharePointServer": func(result any) error {
				since := s.now().Sub(s.began)
				s.looks++
				seen := powershell.SharePointServer{
					Machine: machine(), Timer: running("SPTimerV4"), WebServer: running("W3SVC"), Activation: running("WAS"),
					Sites: []powershell.Discovery{{URL: portal, Status: 401}, {URL: teams, Status: 401}},
				}
				if s.sharePoint != nil {
					s.sharePoint(since, &seen)
				}
				*result.(*powershell.SharePointServer) = seen //nolint:forcetypeassert // the script's own result
				return nil
			},
		},
	}
}

// within reports whether a time is within two others, in seconds.
func within(t time.Duration, from, to int) bool {
	return t >= time.Duration(from)*time.Second && t < time.Duration(to)*time.Second
}

func TestRestartOffice_StaysHealthy(t *testing.T) {
	t.Parallel()
	again := time.Date(2026, 11, 28, 2, 0, 30, 0, time.UTC)
	for _, c := range []struct {
		name   string
		office func(since time.Duration, seen *powershell.OfficeServer)
		// before is how discovery responded before the rotation; zero is 200.
		before powershell.Discovery
		// want is when the wait ends after the restart, in seconds; 0 for never.
		want int
		kind string
		says string
	}{
		{name: "well from the start", want: 70},
		{name: "warms up", want: 160, office: func(since time.Duration, seen *powershell.OfficeServer) {
			if since < 90*time.Second {
				seen.Discovery.Status = 503
			}
		}},
		{name: "one bad answer begins the minute again", want: 120, office: func(since time.Duration, seen *powershell.OfficeServer) {
			if within(since, 40, 50) {
				seen.Discovery.Status = 503
			}
		}},
		{name: "a service that started once more begins it again", want: 100, office: func(since time.Duration, seen *powershell.OfficeServer) {
			if since >= 30*time.Second {
				seen.Service.Since = &again
			}
		}},
		{
			name: "started and then stopped", kind: activities.ServiceNotRunning, says: "does not stay healthy for 1m after its restart; last: WACSM is not running (last errors: Application: no certificate)",
			office: func(since time.Duration, seen *powershell.OfficeServer) {
				if since >= 30*time.Second {
					seen.Service = powershell.Service{Name: "WACSM"}
					seen.LastErrors = []string{"Application: no certificate"}
				}
			},
		},
		{
			name: "dead from its restart on, although 503 is all there was before", kind: activities.WaitTimedOut, says: discovery + " gives no response: ConnectFailure",
			before: powershell.Discovery{URL: discovery, Status: 503},
			office: func(_ time.Duration, seen *powershell.OfficeServer) {
				seen.Discovery = powershell.Discovery{URL: discovery, Problem: "ConnectFailure"}
			},
		},
		{
			name: "dead from its restart on, as before", kind: activities.WaitTimedOut, says: discovery + " gives no response: ConnectFailure",
			before: powershell.Discovery{URL: discovery, Problem: "ConnectFailure"},
			office: func(_ time.Duration, seen *powershell.OfficeServer) {
				seen.Discovery = powershell.Discovery{URL: discovery, Problem: "ConnectFailure"}
			},
		},
		{
			name: "dead from its restart on, not trusted before", kind: activities.WaitTimedOut, says: "before the rotation: " + discovery + " gives no response: TrustFailure",
			before: powershell.Discovery{URL: discovery, Problem: "TrustFailure"},
			office: func(_ time.Duration, seen *powershell.OfficeServer) {
				seen.Discovery = powershell.Discovery{URL: discovery, Problem: "ConnectFailure"}
			},
		},
		{
			name: "not trusted, as was accepted", want: 70, before: powershell.Discovery{URL: discovery, Problem: "TrustFailure"},
			office: func(_ time.Duration, seen *powershell.OfficeServer) {
				seen.Discovery = powershell.Discovery{URL: discovery, Problem: "TrustFailure"}
			},
		},
		{
			name: "IIS is down although discovery responds", kind: activities.ServiceNotRunning, says: "WAS, W3SVC not running",
			office: func(_ time.Duration, seen *powershell.OfficeServer) {
				seen.WebServer.Running, seen.Activation.Running = false, false
			},
		},
		{
			name: "well every other time", kind: activities.WaitTimedOut, says: "does not stay healthy for 1m after its restart; last: " + discovery + " responds 503",
			office: func(since time.Duration, seen *powershell.OfficeServer) {
				if since/lookTime%2 == 1 {
					seen.Discovery.Status = 503
				}
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &restartedServer{office: c.office}
			a := s.activities()
			in := activities.RestartOfficeInput{ServerInput: onOffice}
			in.Baseline.Discovery = farm.Discovery{URL: discovery, Status: 200}
			if c.before != (powershell.Discovery{}) {
				in.Baseline.Discovery = farm.Discovery(c.before)
			}
			if c.want == 0 {
				assertFails(t, a, a.RestartOffice, in, failure{Type: c.kind}, "oos-01", c.says)
				return
			}
			var result activities.StepResult
			if err := execute(a, a.RestartOffice, in, &result); err != nil {
				t.Fatal(err)
			}
			assertWatched(t, s, c.want, result, "restarted WACSM, IIS; "+discovery)
		})
	}
}

// assertWatched asserts when the watch ended, and that the result says so.
func assertWatched(t *testing.T, s *restartedServer, seconds int, result activities.StepResult, says string) {
	t.Helper()
	// The last look began when the time was over.
	if got := int((s.now().Sub(s.began) - lookTime) / time.Second); got != seconds {
		t.Errorf("healthy %d s after the restart, want %d", got, seconds)
	}
	if !result.Changed || !strings.HasPrefix(result.Detail, says) || !strings.HasSuffix(result.Detail, "healthy for 1m") {
		t.Errorf("result %+v, want %q", result, says)
	}
}

func TestRestartSharePoint_Serves(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		sharePoint func(since time.Duration, seen *powershell.SharePointServer)
		// served are the sites that the server served before.
		served []string
		want   int
		kind   string
		says   string
	}{
		{name: "serves all", served: []string{portal, teams}, want: 70},
		{name: "its first request takes long", served: []string{portal, teams}, want: 160, sharePoint: func(since time.Duration, seen *powershell.SharePointServer) {
			if since < 90*time.Second {
				seen.Sites[1] = powershell.Discovery{URL: teams, Problem: "Timeout"}
			}
		}},
		{
			name: "a site stays away", served: []string{portal, teams}, kind: activities.WaitTimedOut, says: "sp-01 is not healthy after its restart: " + teams + " responds 503",
			sharePoint: func(_ time.Duration, seen *powershell.SharePointServer) {
				seen.Sites[1] = powershell.Discovery{URL: teams, Status: 503}
			},
		},
		{name: "a site that it did not serve before", served: []string{portal}, want: 70, sharePoint: func(_ time.Duration, seen *powershell.SharePointServer) {
			seen.Sites[1] = powershell.Discovery{URL: teams, Problem: "ConnectFailure"}
		}},
		{
			name: "IIS stays down on a server without sites", kind: activities.ServiceNotRunning, says: "W3SVC is not running (last errors: System: IISCTLS)",
			sharePoint: func(_ time.Duration, seen *powershell.SharePointServer) {
				seen.WebServer.Running, seen.LastErrors = false, []string{"System: IISCTLS"}
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &restartedServer{sharePoint: c.sharePoint}
			a := s.activities()
			s.looks = -1 // the one before the restart
			in := activities.RestartSharePointInput{ServerInput: onFrontEnd, Baseline: farm.SharePointServer{Machine: farm.Machine{Host: "sp-01"}}}
			for _, site := range []string{portal, teams} {
				status := 0
				if slices.Contains(c.served, site) {
					status = 401
				}
				in.Baseline.Sites = append(in.Baseline.Sites, farm.Discovery{URL: site, Status: status})
			}
			if c.want == 0 {
				assertFails(t, a, a.RestartSharePoint, in, failure{Type: c.kind}, "sp-01", c.says)
				return
			}
			var result activities.StepResult
			if err := execute(a, a.RestartSharePoint, in, &result); err != nil {
				t.Fatal(err)
			}
			assertWatched(t, s, c.want, result, "restarted IIS, SPTimerV4; "+c.served[0]+" responds 401")
		})
	}
}
