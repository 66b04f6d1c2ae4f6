package powershell_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

// back puts an issuer back to a certificate of before; none is no issuer.
func back(ours made, before []byte, was ...powershell.SitePermission) powershell.RestoreTrustedIssuer {
	return powershell.RestoreTrustedIssuer{
		RegisteredName: sharePointIssuer, Ours: ours.thumbprint, Previous: before, Description: "for OOS", Permissions: was,
	}
}

// nothing is the permission of an app principal that may do nothing.
var nothing = powershell.SitePermission{Site: site}

func permission(right string, appOnly bool) []permissionEntry {
	return []permissionEntry{{Site: site, RegisteredName: sharePointIssuer, Right: right, AppOnly: appOnly}}
}

func TestIssuerThatTheRotationMadeIsRemovedAfterItsPermission(t *testing.T) {
	t.Parallel()
	ours, theirs := makeCertificate(t, "s2s.contoso.com"), makeCertificate(t, "theirs")
	for edition, version := range editions {
		t.Run(edition, func(t *testing.T) {
			t.Parallel()
			other := issuerEntry{Name: "theirs", RegisteredName: sqlIssuer, Certificate: theirs.der}
			e := newEngine(t, with(frontEnd(version), "sharePoint", "issuers", []issuerEntry{other}))
			before := e.state(t)
			run(t, e, trust(ours, sharePointIssuer, "OOS SharePoint Server"))

			first, second := run(t, e, back(ours, nil, nothing)), run(t, e, back(ours, nil, nothing))
			want := powershell.RestoreIssuerResult{Changed: true, Removed: true, Permissions: []string{site}}
			if diff := cmp.Diff(want, first); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
			if second.Changed {
				t.Errorf("again: %+v", second)
			}
			if diff := cmp.Diff(before, e.state(t)); diff != "" {
				t.Errorf("before -, after +:\n%s", diff)
			}
		})
	}
}

func TestIssuerThatWasThereGetsItsCertificateBackAndTheRestartIsKnownToBeOwed(t *testing.T) {
	t.Parallel()
	old, ours := makeCertificate(t, "s2s.contoso.com"), makeCertificate(t, "s2s.contoso.com")
	for edition, version := range editions {
		for _, broker := range []bool{false, true} {
			t.Run(edition, func(t *testing.T) {
				t.Parallel()
				e := newEngine(t, with(frontEnd(version), "sharePoint", "issuers", []issuerEntry{{
					Name: "theirs", RegisteredName: sharePointIssuer, Certificate: old.der, TrustBroker: broker, Description: "for OOS [farmtrust 2025-01-02T03:04:05.678Z]",
				}}))
				run(t, e, trust(ours, sharePointIssuer, "ours"))
				params := back(ours, old.der, nothing)
				first := run(t, e, params)
				if !first.Updated || first.Removed || !cmp.Equal(first.Permissions, []string{site}) {
					t.Errorf("got %+v", first)
				}
				if again := run(t, e, params); again.Changed {
					t.Errorf("again: %+v", again)
				}
				seen := run(t, e, powershell.GetSharePointFarm{RegisteredNames: []string{sharePointIssuer}, Sites: []string{site}})
				if i := seen.Issuers[0]; i.Name != "theirs" || i.Thumbprint != old.thumbprint || i.TrustBroker != broker || !strings.HasPrefix(i.Description, "for OOS [farmtrust ") {
					t.Errorf("issuer %+v", i)
				}
				if since := seen.Issuers[0].Since; since == nil || time.Since(*since) > time.Minute {
					t.Errorf("since %v, want just now", since)
				}
				if p := seen.Permissions[0]; p.Right != "" {
					t.Errorf("permission %+v, want none", p)
				}
			})
		}
	}
}

func TestPermissionGoesBackToWhatItWas(t *testing.T) {
	t.Parallel()
	ours := makeCertificate(t, "s2s.contoso.com")
	cases := []struct {
		claim   string
		was     powershell.SitePermission
		now     []permissionEntry
		changed bool
	}{
		{"none", nothing, permission("FullControl", true), true},
		{"a lesser right", powershell.SitePermission{Site: site, Right: "Read"}, permission("FullControl", true), true},
		{"a lesser right without a user", powershell.SitePermission{Site: site, Right: "Manage", AppOnly: true}, permission("FullControl", true), true},
		{"full control with a user", powershell.SitePermission{Site: site, Right: "FullControl"}, permission("FullControl", true), true},
		{"a lesser right, cut short", powershell.SitePermission{Site: site, Right: "Write"}, []permissionEntry{}, true},
		{"full control as now", powershell.SitePermission{Site: site, Right: "FullControl", AppOnly: true}, permission("FullControl", true), false},
		{"a lesser right as now", powershell.SitePermission{Site: site, Right: "Read"}, permission("Read", false), false},
	}
	for _, c := range cases {
		t.Run(c.claim, func(t *testing.T) {
			t.Parallel()
			// The rotation found its certificate here already: it changed the permission only.
			w := with(frontEnd(editions["2016"]), "sharePoint", "issuers", []issuerEntry{{Name: "one", RegisteredName: sharePointIssuer, Certificate: ours.der}})
			e := newEngine(t, with(w, "sharePoint", "permissions", c.now))
			got := run(t, e, back(ours, ours.der, c.was))
			if got.Changed != c.changed || got.Updated || got.Removed {
				t.Errorf("got %+v, want changed %v", got, c.changed)
			}
			want := permission(c.was.Right, c.was.AppOnly)
			if c.was.Right == "" {
				want = []permissionEntry{}
			}
			if diff := cmp.Diff(want, e.state(t).SharePoint.Permissions); diff != "" {
				t.Errorf("permissions, want -, got +:\n%s", diff)
			}
			if again := run(t, e, back(ours, ours.der, c.was)); again.Changed {
				t.Errorf("again: %+v", again)
			}
		})
	}
}

func TestPrincipalThatWentWithItsIssuerNeedsNothing(t *testing.T) {
	t.Parallel()
	for _, missing := range []bool{false, true} { // as an error, as nothing
		w := with(frontEnd(editions["2016"]), "sharePoint", "permissions", permission("FullControl", true))
		e := newEngine(t, with(w, "sharePoint", "withoutPrincipals", missing))
		if got := run(t, e, back(makeCertificate(t, "s2s.contoso.com"), nil, nothing)); got.Changed {
			t.Errorf("got %+v", got)
		}
	}
}

func TestIssuerIsNotPutBackWhereItIsNotOurs(t *testing.T) {
	t.Parallel()
	old, ours, theirs := makeCertificate(t, "old"), makeCertificate(t, "ours"), makeCertificate(t, "theirs")
	one := func(m made) []issuerEntry {
		return []issuerEntry{{Name: "one", RegisteredName: sharePointIssuer, Certificate: m.der}}
	}
	twin := append(one(ours), issuerEntry{Name: "two", RegisteredName: sharePointIssuer, Certificate: ours.der})
	cases := []struct {
		claim       string
		issuers     []issuerEntry
		permissions []permissionEntry
		field       string
		value       any
		params      powershell.RestoreTrustedIssuer
		id          string
	}{
		{claim: "another certificate", issuers: one(theirs), params: back(ours, old.der), id: powershell.ChangedSince},
		{claim: "another certificate in a new issuer", issuers: one(theirs), params: back(ours, nil), id: powershell.ChangedSince},
		{claim: "an issuer without certificate", issuers: []issuerEntry{{Name: "one", RegisteredName: sharePointIssuer}}, params: back(ours, nil), id: powershell.ChangedSince},
		{claim: "somebody removed the issuer", params: back(ours, old.der), id: powershell.ChangedSince},
		{claim: "two issuers", issuers: twin, params: back(ours, old.der), id: powershell.IssuerAmbiguous},
		{claim: "another permission", issuers: one(ours), permissions: permission("Write", true), params: back(ours, old.der, nothing), id: powershell.ChangedSince},
		{
			claim: "somebody took full control away", issuers: one(ours), params: back(ours, old.der, powershell.SitePermission{Site: site, Right: "FullControl", AppOnly: true}),
			id: powershell.ChangedSince,
		},
		{
			claim: "no app principal", issuers: one(ours), permissions: permission("FullControl", true), field: "withoutPrincipals", value: true,
			params: back(ours, old.der, nothing), id: powershell.AppPrincipalMissing,
		},
		{
			claim: "the permission stays", issuers: one(ours), permissions: permission("FullControl", true), field: "forgets", value: true,
			params: back(ours, old.der, nothing), id: powershell.SettingNotKept,
		},
		{claim: "the issuer stays", issuers: one(ours), field: "forgets", value: true, params: back(ours, nil), id: powershell.SettingNotKept},
		{claim: "the farm cannot be reached", field: "reachable", value: false, params: back(ours, nil), id: powershell.SecondHop},
	}
	for _, c := range cases {
		t.Run(c.claim, func(t *testing.T) {
			t.Parallel()
			w := frontEnd(editions["2016"])
			if c.issuers != nil {
				with(w, "sharePoint", "issuers", c.issuers)
			}
			if c.permissions != nil {
				with(w, "sharePoint", "permissions", c.permissions)
			}
			if c.field != "" {
				with(w, "sharePoint", c.field, c.value)
			}
			e := newEngine(t, w)
			before := e.state(t)
			refused(t, e, c.params, c.id)
			if diff := cmp.Diff(before, e.state(t)); diff != "" {
				t.Errorf("the farm changed, before -, after +:\n%s", diff)
			}
		})
	}
}

func TestRootAuthorityIsRemovedByItsCertificateButNeverLocal(t *testing.T) {
	t.Parallel()
	ours, theirs := makeCertificate(t, "Contoso Root"), makeCertificate(t, "theirs")
	for edition, version := range editions {
		t.Run(edition, func(t *testing.T) {
			t.Parallel()
			stays := []authorityEntry{{Name: "Local", Certificate: ours.der}, {Name: "without"}, {Name: "theirs", Certificate: theirs.der}}
			all := append([]authorityEntry{{Name: "renamed", Certificate: ours.der}}, stays...)
			e := newEngine(t, with(frontEnd(version), "sharePoint", "authorities", all))
			params := powershell.RemoveRootAuthority{Thumbprints: []string{ours.thumbprint}}
			first, second := run(t, e, params), run(t, e, params)
			if !first.Changed || !cmp.Equal(first.Removed, []string{"renamed"}) || second.Changed {
				t.Errorf("first %+v, second %+v", first, second)
			}
			if diff := cmp.Diff(stays, e.state(t).SharePoint.Authorities); diff != "" {
				t.Errorf("authorities, want -, got +:\n%s", diff)
			}
		})
	}
}

func TestRootAuthorityThatStaysIsAnError(t *testing.T) {
	t.Parallel()
	ours := makeCertificate(t, "Contoso Root")
	w := with(frontEnd(editions["2016"]), "sharePoint", "authorities", []authorityEntry{{Name: "r", Certificate: ours.der}})
	e := newEngine(t, with(w, "sharePoint", "forgets", true))
	refused(t, e, powershell.RemoveRootAuthority{Thumbprints: []string{ours.thumbprint}}, powershell.SettingNotKept)
}

func TestS2SNameGoesBackOnlyFromOurs(t *testing.T) {
	t.Parallel()
	cases := []struct {
		claim, now, previous string
		flag                 string
		want                 powershell.RestoreNameResult
		after                string
	}{
		{claim: "to a name", now: friendly, previous: "old", want: powershell.RestoreNameResult{Changed: true}, after: "old"},
		{claim: "to none", now: friendly, want: powershell.RestoreNameResult{Changed: true}},
		{claim: "to none, refused", now: friendly, flag: "refusesNoName", want: powershell.RestoreNameResult{ClearRefused: true, Reason: "Der Name fehlt."}, after: friendly},
		{claim: "to none, ignored", now: friendly, flag: "forgets", want: powershell.RestoreNameResult{ClearRefused: true}, after: friendly},
		{claim: "already a name", now: "old", previous: "old", after: "old"},
		{claim: "already none"},
	}
	for _, c := range cases {
		t.Run(c.claim, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, withS2SName(officeServer(t), c.now, c.flag))
			params := powershell.RestoreS2SCertificateName{Ours: friendly, Previous: c.previous}
			if diff := cmp.Diff(c.want, run(t, e, params)); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
			if again := run(t, e, params); again.Changed {
				t.Errorf("again: %+v", again)
			}
			if got := e.state(t).Office.Farm.S2SCertificateName; got != c.after {
				t.Errorf("the farm's S2S certificate is %q, want %q", got, c.after)
			}
		})
	}
}

// withS2SName gives an office server's farm a name, and a flag of the product.
func withS2SName(w map[string]any, name, flag string) map[string]any {
	office, ok := w["office"].(map[string]any)
	if !ok {
		panic("no office")
	}
	with(office, "farm", "s2sCertificateName", name)
	if flag != "" {
		office[flag] = true
	}
	return w
}

func TestS2SNameIsNotPutBackWhereItIsNotOursOrDoesNotStay(t *testing.T) {
	t.Parallel()
	params := powershell.RestoreS2SCertificateName{Ours: friendly, Previous: "old"}
	refused(t, newEngine(t, withS2SName(officeServer(t), "theirs", "")), params, powershell.ChangedSince)
	refused(t, newEngine(t, withS2SName(officeServer(t), "", "")), params, powershell.ChangedSince)
	refused(t, newEngine(t, withS2SName(officeServer(t), friendly, "forgets")), params, powershell.SettingNotKept)
	member := with(withS2SName(officeServer(t), friendly, ""), "office", "master", "OOS-02")
	refused(t, newEngine(t, member), params, powershell.NotMaster)
	// What the product says to a name that is not empty is its own error.
	broken := with(withS2SName(officeServer(t), friendly, ""), "office", "fails", true)
	refused(t, newEngine(t, broken), params, "lokalisiert")
}
