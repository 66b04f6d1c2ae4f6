package farm

import "strings"

func checkValidByClock(d Desired, o Observed) []Finding {
	var out []Finding
	t := d.Target
	for _, m := range o.allMachines() {
		switch {
		case m.Clock.Before(t.NotBefore):
			out = append(out, stopFinding("not-yet-valid", m.Host, "wait, or set the server's clock",
				"by its clock (%s) certificate %s is not valid before %s", FormatTime(m.Clock), t.Thumbprint.Short(), FormatTime(t.NotBefore)))
		case m.Clock.After(t.NotAfter):
			out = append(out, stopFinding("expired", m.Host, "provide a newer certificate, or set the server's clock",
				"by its clock (%s) certificate %s expired at %s", FormatTime(m.Clock), t.Thumbprint.Short(), FormatTime(t.NotAfter)))
		}
	}
	return out
}

// checkFriendlyName checks that no other certificate has the target's friendly
// name: Office Online Server could not choose between them. Microsoft's planning
// page says so of the Trusted Root store; in practice it is also true of the
// Personal store.
func checkFriendlyName(d Desired, o Observed) []Finding {
	var out []Finding
	for _, s := range o.Office {
		for _, store := range []struct {
			name string
			list []StoreCertificate
		}{{"Personal", s.Certificates}, {"Trusted Root", s.Roots}} {
			for _, c := range store.list {
				if c.FriendlyName == d.Target.FriendlyName && (c.Thumbprint != d.Target.Thumbprint || store.name == "Trusted Root") {
					out = append(out, stopFinding("friendly-name-taken", s.Machine.Host,
						"give this one another friendly name; the rotation then restarts the office servers, which may have loaded it under this name",
						"certificate %s in the %s store already has the friendly name %q", c.Thumbprint.Short(), store.name, c.FriendlyName))
				}
			}
		}
	}
	return out
}

func checkFriendlyNamesAgree(d Desired, o Observed) []Finding {
	names := targetNames(d.Target.Thumbprint, o)
	if len(names) < 2 {
		return nil
	}
	return []Finding{stopFinding("friendly-names-differ", "", "give it the same friendly name on every office server",
		"certificate %s has different friendly names: %s", d.Target.Thumbprint.Short(), strings.Join(names, ", "))}
}

// checkSubject warns: in one published case, two certificates with the same
// subject in the Personal store kept WACSM from starting. That was the HTTPS
// certificate; whether S2S is affected is unknown.
func checkSubject(d Desired, o Observed) []Finding {
	var out []Finding
	for _, s := range o.Office {
		for _, c := range s.Certificates {
			if c.Subject == d.Target.Subject && c.Thumbprint != d.Target.Thumbprint {
				out = append(out, warnFinding("subject-shared", s.Machine.Host, "give each new certificate a subject of its own, to be on the safe side",
					"certificate %s in the Personal store has the same subject as the new one: %s", c.Thumbprint.Short(), c.Subject))
			}
		}
	}
	return out
}

// checkKeyProvider warns: whether Office Online Server accepts a key in a key
// storage provider (CNG) is unknown; SharePoint does not for its own certificates.
func checkKeyProvider(d Desired, o Observed) []Finding {
	var out []Finding
	for _, s := range o.Office {
		if c, ok := s.Certificate(d.Target.Thumbprint); ok && strings.Contains(c.Provider, "Key Storage Provider") {
			out = append(out, warnFinding("key-storage-provider", s.Machine.Host, "if refreshes fail with \"Invalid provider type specified\", remove it and let farmtrust import it",
				"the key is in %q; a cryptographic service provider is the safe choice", c.Provider))
		}
	}
	return out
}
