package controller_test

import (
	"errors"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

var (
	registered = farm.Issuers()[0].RegisteredName
	theIssuer  = farm.Trusted{FrontEnd: "sp-01", Kind: farm.TrustedIssuer, Name: "OOS SharePoint Server", RegisteredName: registered, Thumbprint: "B"}
	theRoot    = farm.Trusted{FrontEnd: "sp-01", Kind: farm.TrustedRoot, Name: "OOS CA", Thumbprint: "CA"}
)

// holding returns trust in another certificate.
func holding(t farm.Trusted, c farm.Thumbprint) farm.Trusted {
	t.Thumbprint = c
	return t
}

// look is a look at what is trusted, of which the source has some certificates.
func look(trusted []farm.Trusted, ofSource ...farm.Thumbprint) farm.TrustLook {
	return farm.TrustLook{Fingerprint: farm.FingerprintOf(trusted, nil), Trusted: trusted, OfSource: ofSource}
}

func TestNoteTrust(t *testing.T) {
	normal := []farm.Trusted{theIssuer, theRoot}
	for name, c := range map[string]struct {
		begin    func(*controller.State)
		looks    []farm.TrustLook
		incident farm.Thumbprint
	}{
		"what was there at the first look is known":      {looks: []farm.TrustLook{look(normal)}},
		"an issuer that held a foreign one at the first": {looks: []farm.TrustLook{look([]farm.Trusted{holding(theIssuer, "X")})}, incident: "X"},
		"an issuer that holds a foreign one later":       {looks: []farm.TrustLook{look(normal), look([]farm.Trusted{holding(theIssuer, "X"), theRoot})}, incident: "X"},
		"a root authority that appears":                  {looks: []farm.TrustLook{look(normal), look([]farm.Trusted{theIssuer, theRoot, holding(theRoot, "X")})}, incident: "X"},
		"the newest certificate of the source":           {looks: []farm.TrustLook{look(normal), look([]farm.Trusted{holding(theIssuer, "C"), theRoot, holding(theRoot, "CA2")}, "C", "CA2")}},
		"the certificate that an undo restores":          {begin: retaining, looks: []farm.TrustLook{look(normal), look([]farm.Trusted{holding(theIssuer, "A"), theRoot})}},
		"foreign trust that is gone":                     {looks: []farm.TrustLook{look(normal), look([]farm.Trusted{holding(theIssuer, "X"), theRoot}), look(normal)}},
		"foreign trust under what was trusted before":    {looks: []farm.TrustLook{look(normal), look([]farm.Trusted{theIssuer}), look(normal)}, incident: "CA"},
		"a compromised certificate, although of the source": {begin: func(s *controller.State) {
			retaining(s)
			s.Retention.Snapshot.Compromised = true
		}, looks: []farm.TrustLook{look(normal), look([]farm.Trusted{holding(theIssuer, "A"), theRoot}, "A")}, incident: "A"},
	} {
		t.Run(name, func(t *testing.T) {
			s := idle()
			if c.begin != nil {
				c.begin(&s)
			}
			for i, l := range c.looks {
				s.NoteTrust(epoch.Add(time.Duration(i)*time.Minute), l)
			}
			var got farm.Thumbprint
			if len(s.Watch.Incidents) > 0 {
				got = s.Watch.Incidents[0].Thumbprint
			}
			if got != c.incident || len(s.Watch.Incidents) > 1 {
				t.Errorf("incidents %+v, want one about %q", s.Watch.Incidents, c.incident)
			}
			if (s.Phase() == controller.Incident) != (c.incident != "") || s.NeedsOperator(epoch) != (c.incident != "") || s.IsTrusted(epoch) != (c.incident == "") {
				t.Errorf("phase %s, needs operator %t, trusted %t", s.Phase(), s.NeedsOperator(epoch), s.IsTrusted(epoch))
			}
		})
	}
}

func TestNoteTrust_OfAFrontEndThatDoesNotAnswer(t *testing.T) {
	s := idle()
	s.NoteTrust(epoch, look([]farm.Trusted{theIssuer}))
	s.NoteTrust(epoch.Add(time.Minute), look([]farm.Trusted{holding(theIssuer, "X")}))
	s.NoteTrust(epoch.Add(2*time.Minute), farm.TrustLook{Unseen: []string{"sp-01"}, Problem: "sp-01: away", Fingerprint: "f"})
	if len(s.Watch.Incidents) != 1 || !s.Watch.Incidents[0].Since.Equal(epoch.Add(time.Minute)) {
		t.Errorf("the incident does not go on: %+v", s.Watch.Incidents)
	}
}

func TestAcceptTrust(t *testing.T) {
	accept := controller.Request{Kind: controller.RequestAccept, Thumbprint: "X", By: "op", Reason: "an add-in"}
	s := idle()
	if s.CheckRequest(epoch, accept, "") == nil {
		t.Error("what is no incident is accepted")
	}
	s.NoteTrust(epoch, look([]farm.Trusted{theIssuer}))
	foreign := look([]farm.Trusted{theIssuer, holding(theRoot, "X")})
	s.NoteTrust(epoch, foreign)
	other := accept
	other.Thumbprint = "Y"
	if s.CheckRequest(epoch, other, "") == nil {
		t.Error("another certificate is accepted")
	}
	if err := s.CheckRequest(epoch, accept, ""); err != nil || !s.ApplyImmediate(epoch, accept) {
		t.Fatal(err)
	}
	s.NoteTrust(epoch, foreign)
	if len(s.Watch.Incidents) > 0 {
		t.Errorf("what was accepted is an incident again: %+v", s.Watch.Incidents)
	}
	// Accepted is what is trusted there, and not the certificate wherever it appears.
	s.NoteTrust(epoch, look([]farm.Trusted{holding(theIssuer, "X"), holding(theRoot, "X")}))
	if len(s.Watch.Incidents) != 1 {
		t.Errorf("an issuer that holds what is accepted as a root authority: incidents %+v", s.Watch.Incidents)
	}
}

var errUnsealed = errors.New("not sealed")

// fakeSealer seals by appending, as nobody should.
type fakeSealer struct{ key string }

func (f fakeSealer) Seal(purpose string, content []byte) string {
	return f.key + purpose + string(content)
}

func (f fakeSealer) Check(purpose string, content []byte, seal string) error {
	if seal != f.Seal(purpose, content) {
		return errUnsealed
	}
	return nil
}

func TestState_IsBelievedOnlyWithTheSealOfItsRun(t *testing.T) {
	workers := fakeSealer{"workers"}
	sealed := idle(retaining, func(s *controller.State) { s.Suspended = "not UTF-8: \xff" }).SealFor("run 1", workers)
	if err := sealed.CheckSeal("run 1", workers); err != nil {
		t.Error(err)
	}
	altered := sealed
	altered.Suspended = ""
	clear := sealed
	clear.Seal = ""
	for name, err := range map[string]error{
		"altered":                 altered.CheckSeal("run 1", workers),
		"clear":                   clear.CheckSeal("run 1", workers),
		"of another run":          sealed.CheckSeal("run 2", workers),
		"sealed with another key": sealed.CheckSeal("run 1", fakeSealer{"others"}),
	} {
		if err == nil {
			t.Errorf("a state that is %s is believed", name)
		}
	}
}
