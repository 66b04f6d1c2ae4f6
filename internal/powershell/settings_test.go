package powershell_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

func TestS2SNameIsSetOnceOnTheMaster(t *testing.T) {
	t.Parallel()
	target := makeCertificate(t, "s2s.contoso.com")
	w := with(officeServer(t), "stores", "My", []storeEntry{target.owned(t, friendly)})
	with(w, "office", "master", strings.ToLower(machineName(t))+".contoso.com")
	e := newEngine(t, w)
	params := powershell.SetS2SCertificateName{FriendlyName: friendly, Thumbprint: target.thumbprint}
	if first := run(t, e, params); !first.Changed || first.Previous != "" {
		t.Errorf("first: %+v", first)
	}
	if second := run(t, e, params); second.Changed || second.Previous != friendly {
		t.Errorf("second: %+v", second)
	}
	if got := e.state(t).Office.Farm.S2SCertificateName; got != friendly {
		t.Errorf("the farm's S2S certificate is %q, want %q", got, friendly)
	}
}

func TestS2SNameIsRefusedUnlessItMeansTheCertificateAndStays(t *testing.T) {
	t.Parallel()
	target, other := makeCertificate(t, "s2s.contoso.com"), makeCertificate(t, "other.contoso.com")
	cases := []struct {
		claim, part, field string
		value              any
		id                 string
	}{
		{"another machine is the master", "office", "master", "OOS-02", powershell.NotMaster},
		{"the machine is in no farm", "office", "joined", false, powershell.NotJoined},
		{"the name means another certificate", "stores", "My", []storeEntry{target.owned(t, "theirs")}, powershell.WrongCertificate},
		{"the certificate is missing", "stores", "My", []storeEntry{}, powershell.CertificateNotFound},
		{"two certificates have the name", "stores", "My", []storeEntry{target.owned(t, friendly), other.owned(t, friendly)}, powershell.AmbiguousFriendlyName},
		{"the farm forgets the setting", "office", "forgets", true, powershell.SettingNotKept},
	}
	for _, c := range cases {
		t.Run(c.claim, func(t *testing.T) {
			t.Parallel()
			w := with(officeServer(t), "stores", "My", []storeEntry{target.owned(t, friendly)})
			e := newEngine(t, with(w, c.part, c.field, c.value))
			refused(t, e, powershell.SetS2SCertificateName{FriendlyName: friendly, Thumbprint: target.thumbprint}, c.id)
			if got := e.state(t).Office.Farm.S2SCertificateName; got != "" {
				t.Errorf("the farm's S2S certificate is %q", got)
			}
		})
	}
}

func TestHTTPSwitchesThatAreNotGivenAreNotTouched(t *testing.T) {
	t.Parallel()
	e := newEngine(t, officeServer(t))
	on, off := true, false
	if got := run(t, e, powershell.SetOfficeHTTPSetting{}); got.Changed {
		t.Errorf("without switches: %+v", got)
	}
	got := run(t, e, powershell.SetOfficeHTTPSetting{AllowOutboundHTTP: &on, AllowHTTPSecureStoreConnections: &off})
	if want := []string{"AllowOutboundHttp"}; !got.Changed || !cmp.Equal(got.Settings, want) {
		t.Errorf("got %+v, want only %v set", got, want)
	}
	if got := run(t, e, powershell.SetOfficeHTTPSetting{AllowHTTPSecureStoreConnections: &on}); !cmp.Equal(got.Settings, []string{"AllowHttpSecureStoreConnections"}) {
		t.Errorf("got %+v", got)
	}
	if f := e.state(t).Office.Farm; !f.AllowOutboundHTTP || !f.AllowHTTPSecureStoreConnections {
		t.Errorf("the farm has %+v", f)
	}
}

func TestHTTPSwitchThatDoesNotStayIsAnError(t *testing.T) {
	t.Parallel()
	on := true
	refused(t, newEngine(t, with(officeServer(t), "office", "forgets", true)),
		powershell.SetOfficeHTTPSetting{AllowOutboundHTTP: &on}, powershell.SettingNotKept)
}
