package farm_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestDiscovery_IsAsGoodAs(t *testing.T) {
	t.Parallel()
	problem := func(name string) farm.Discovery { return farm.Discovery{Problem: name} }
	status := func(code int) farm.Discovery { return farm.Discovery{Status: code} }
	for _, c := range []struct {
		name        string
		before, now farm.Discovery
		want        bool
	}{
		{"well before and after", status(200), status(200), true},
		{"well before, not after", status(200), status(503), false},
		{"well before, untrusted after", status(200), problem("TrustFailure"), false},
		{"never reached is not as before", problem("ConnectFailure"), problem("ConnectFailure"), false},
		{"not reached before, 503 after", problem("ConnectFailure"), status(503), false},
		{"not reached before, well after", problem("ConnectFailure"), status(200), true},
		{"not asked before, untrusted after", problem("NotJoined"), problem("TrustFailure"), false},
		{"untrusted before and after", problem("TrustFailure"), problem("TrustFailure"), true},
		{"untrusted before, not reached after", problem("TrustFailure"), problem("ConnectFailure"), false},
		{"untrusted before, no TLS after", problem("TrustFailure"), problem("SecureChannelFailure"), false},
		{"untrusted before, 404 after", problem("TrustFailure"), status(404), true},
		{"one failure of TLS for another", problem("SecureChannelFailure"), problem("ReceiveFailure"), false},
		{"no TLS before, untrusted after", problem("SecureChannelFailure"), problem("TrustFailure"), true},
		{"the same error before and after", status(404), status(404), true},
		{"one error for another", status(404), status(503), false},
		{"an error before, untrusted after", status(404), problem("TrustFailure"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := c.now.IsAsGoodAs(c.before); got != c.want {
				t.Errorf("%v after %v: as good is %t, want %t", c.now, c.before, got, c.want)
			}
		})
	}
}

func TestOfficeServer_WhyUnhealthy(t *testing.T) {
	t.Parallel()
	const url = "https://office.contoso.com/hosting/discovery"
	running := func(name string) farm.Service { return farm.Service{Name: name, Running: true} }
	well := farm.OfficeServer{
		Service: running("WACSM"), WebServer: running("W3SVC"), Activation: running("WAS"),
		Discovery: farm.Discovery{URL: url, Status: 200},
	}
	for _, c := range []struct {
		name   string
		change func(now, before *farm.OfficeServer)
		want   string
	}{
		{"well", func(*farm.OfficeServer, *farm.OfficeServer) {}, ""},
		{"a service stopped, although discovery responds", func(now, _ *farm.OfficeServer) {
			now.Service.Running, now.LastErrors = false, []string{"Application: The certificate has not been specified."}
		}, "WACSM is not running (last errors: Application: The certificate has not been specified.)"},
		{"IIS stopped", func(now, _ *farm.OfficeServer) {
			now.WebServer.Running, now.Activation.Running = false, false
		}, "WAS, W3SVC not running"},
		{"nothing listens", func(now, _ *farm.OfficeServer) {
			now.Discovery = farm.Discovery{URL: url, Problem: "ConnectFailure"}
		}, url + " gives no response: ConnectFailure"},
		{"worse than what was accepted", func(now, before *farm.OfficeServer) {
			now.Discovery = farm.Discovery{URL: url, Problem: "ConnectFailure"}
			before.Discovery = farm.Discovery{URL: url, Problem: "TrustFailure"}
		}, url + " gives no response: ConnectFailure (before the rotation: " + url + " gives no response: TrustFailure)"},
		{"as was accepted", func(now, before *farm.OfficeServer) {
			now.Discovery.Status, before.Discovery.Status = 404, 404
		}, ""},
		{"an error with errors in the logs", func(now, _ *farm.OfficeServer) {
			now.Discovery.Status, now.LastErrors = 503, []string{"System: a", "System: b"}
		}, url + " responds 503; last errors of its event logs: System: a; System: b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			now, before := well, well
			c.change(&now, &before)
			if diff := cmp.Diff(c.want, now.WhyUnhealthy(before)); diff != "" {
				t.Errorf("why (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSharePointServer_WhyUnhealthy(t *testing.T) {
	t.Parallel()
	const portal, teams = "https://portal.contoso.com", "https://teams.contoso.com"
	served := func(url string) farm.Discovery { return farm.Discovery{URL: url, Status: 401} }
	cold := farm.Discovery{URL: teams, Problem: "Timeout"}
	for _, c := range []struct {
		name        string
		before, now []farm.Discovery
		stopped     bool
		want        string
	}{
		{"all as before", []farm.Discovery{served(portal), served(teams)}, []farm.Discovery{served(portal), {URL: teams, Status: 302}}, false, ""},
		{"a site is cold", []farm.Discovery{served(portal), served(teams)}, []farm.Discovery{served(portal), cold}, false, teams + " gives no response: Timeout"},
		{"a site fails", []farm.Discovery{served(portal)}, []farm.Discovery{{URL: portal, Status: 503}}, false, portal + " responds 503"},
		{"a site that was not served before", []farm.Discovery{served(portal), cold}, []farm.Discovery{served(portal), cold}, false, ""},
		{"no front end", []farm.Discovery{cold}, []farm.Discovery{cold}, false, ""},
		{"services decide there", []farm.Discovery{cold}, []farm.Discovery{cold}, true, "SPTimerV4 is not running"},
		{"a site was not asked for", []farm.Discovery{served(portal)}, nil, false, portal + " gives no response:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			now := farm.SharePointServer{Sites: c.now, Timer: farm.Service{Name: "SPTimerV4", Running: !c.stopped}}
			if diff := cmp.Diff(c.want, now.WhyUnhealthy(farm.SharePointServer{Sites: c.before})); diff != "" {
				t.Errorf("why (-want +got):\n%s", diff)
			}
		})
	}
}

// TestStarts checks that the times to compare do not move with the measured skew.
func TestStarts(t *testing.T) {
	t.Parallel()
	at := func(skew time.Duration) farm.OfficeServer {
		return farm.OfficeServer{
			Machine: farm.Machine{Skew: skew}, Service: farm.Service{StartedAt: epoch.Add(-skew)},
		}
	}
	if one, other := at(time.Minute).Starts(), at(61*time.Second).Starts(); !slices.Equal(one, other) || !one[1].IsZero() {
		t.Errorf("starts %v and %v", one, other)
	}
}
