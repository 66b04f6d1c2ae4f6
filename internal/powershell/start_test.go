package powershell_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// impose makes a condition of the server true; with stop, at once.
func (s *testServer) impose(c model.Condition, stop bool) {
	s.t.Helper()
	requireNoError(s.t, s.World.Impose(host, c, stop))
}

// stopped is a condition of a service that has stopped, and of its next starts.
func stopped(service string, starts int) model.Condition {
	return model.Condition{Kind: model.ServiceFails, Service: service, Starts: starts}
}

func named(certificates map[string]testCertificate) powershell.StartOfficeServer {
	var call powershell.StartOfficeServer
	for name, c := range certificates {
		call.Certificates = append(call.Certificates, powershell.NamedCertificate{Thumbprint: c.thumbprint, FriendlyName: name})
	}
	return call
}

func TestStart(t *testing.T) {
	t.Parallel()
	t.Run("changes nothing where all services run", func(t *testing.T) {
		t.Parallel()
		s := newServer(t, newOfficeServer())
		before := s.state()
		want := powershell.StartResult{Started: []string{}}
		if diff := cmp.Diff(want, mustRun(t, s, powershell.StartOfficeServer{})); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
		if diff := cmp.Diff(before, s.state()); diff != "" {
			t.Errorf("before -, now +:\n%s", diff)
		}
	})
	t.Run("selects the certificate that the settings name", func(t *testing.T) {
		t.Parallel()
		old, next := newCertificate(t, "s2s.contoso.com"), newCertificate(t, "s2s.contoso.com")
		other, gone := newCertificate(t, "other"), newCertificate(t, "gone")
		const name = `Q&A "2" <new>`
		spec := newOfficeServer().in(model.My, old.withKey("old"), next.withKey(name), other.withKey("other"))
		spec.office.S2SCertificateName = name
		spec.policy.SameSubjectStopsService = true
		s := newServer(t, spec)
		requireNoError(t, s.session().Archive(farm.Thumbprint(next.thumbprint), true))
		for _, service := range []string{model.WAS, model.WACSM} {
			s.impose(stopped(service, -1), true)
		}
		s.World.LiftConditions()

		call := named(map[string]testCertificate{"old": old, name: next, "other": other, "gone": gone, "": other})
		want := powershell.StartResult{Changed: true, Started: []string{"WAS", "W3SVC", "WACSM"}, Named: name}
		if diff := cmp.Diff(want, mustRun(t, s, call)); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
		archived := map[string]bool{}
		for _, c := range s.state().Stores[model.My] {
			archived[c.FriendlyName] = c.Archived
		}
		if diff := cmp.Diff(map[string]bool{"old": true, name: false, "other": false}, archived); diff != "" {
			t.Errorf("archived: want -, got +:\n%s", diff)
		}
	})
	t.Run("names what keeps the service from starting", func(t *testing.T) {
		t.Parallel()
		gone := newCertificate(t, "gone")
		spec := newOfficeServer()
		spec.office.S2SCertificateName = "gone"
		s := newServer(t, spec)
		s.impose(stopped(model.WACSM, -1), true)
		s.World.LiftConditions()
		for text, call := range map[string]powershell.StartOfficeServer{
			"its settings.xml has the name 'gone'; last errors": named(map[string]testCertificate{"gone": gone}),
			"has none of the names that were looked for":        named(map[string]testCertificate{"other": gone}),
		} {
			refused := requireRefusal(t, s, call, powershell.ServiceNotRunning)
			if !strings.Contains(refused.Message, text) || !strings.Contains(refused.Message, "The certificate has not been specified.") {
				t.Errorf("got %q, want %q and the cause", refused.Message, text)
			}
		}
	})
}
