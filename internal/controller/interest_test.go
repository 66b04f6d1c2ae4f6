package controller_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

func identity(thumbprint string) farm.CertificateIdentity {
	return farm.CertificateIdentity{Thumbprint: farm.Thumbprint(thumbprint), SHA256: "of " + thumbprint}
}

func TestNoteObservation_KnowsTheCertificatesOfTheFarm(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 6, 0, 0, 0, time.UTC)
	matches := []farm.EventMatch{{Vault: "kv"}}
	found := func(all ...farm.CertificateIdentity) farm.Inspection {
		return farm.Inspection{Config: farm.Farm{Name: "contoso", Certificate: farm.CertificatePolicy{Events: matches}}, Certificates: all}
	}
	asInStore := farm.CertificateIdentity{Thumbprint: "A", Subject: "CN=a"}
	for claim, c := range map[string]struct {
		before []farm.Inspection
		last   farm.Inspection
		want   []farm.CertificateIdentity
	}{
		"the newest first": {
			[]farm.Inspection{found(identity("A"))},
			found(identity("B"), identity("A")),
			[]farm.CertificateIdentity{identity("B"), identity("A")},
		},
		"those of before stay known, but not for ever": {
			[]farm.Inspection{found(identity("A")), found(identity("B")), found(identity("C")), found(identity("D"))},
			found(identity("E")),
			[]farm.CertificateIdentity{identity("E"), identity("D"), identity("C"), identity("B")},
		},
		"what was seen whole stays whole": {
			[]farm.Inspection{found(identity("A"))},
			found(asInStore),
			[]farm.CertificateIdentity{identity("A")},
		},
		"what was seen in part becomes whole": {
			[]farm.Inspection{found(asInStore)},
			found(identity("A")),
			[]farm.CertificateIdentity{identity("A")},
		},
		"none is forgotten while nothing can be seen": {
			[]farm.Inspection{found(identity("A"))},
			farm.Inspection{},
			[]farm.CertificateIdentity{identity("A")},
		},
	} {
		t.Run(claim, func(t *testing.T) {
			s := &controller.State{Farm: "contoso"}
			for _, n := range append(c.before, c.last) {
				s.NoteObservation(now, n, "not all servers answer")
			}
			if diff := cmp.Diff(controller.Interest{Certificates: c.want, Events: matches}, s.Interest); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
