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
// Personal store. Archived certificates do not count: it does not find them.
func checkFriendlyName(d Desired, o Observed) []Finding {
	var out []Finding
	for _, s := range o.Office {
		for _, store := range []struct {
			name string
			list []StoreCertificate
		}{{"Personal", s.Certificates}, {"Trusted Root", s.Roots}} {
			for _, c := range store.list {
				if !c.Archived && strings.EqualFold(c.FriendlyName, d.Target.FriendlyName) && (c.Thumbprint != d.Target.Thumbprint || store.name == "Trusted Root") {
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

// checkKeyProvider stops where the target's key is in a key storage provider (CNG).
// .NET's classes for tokens do not open such a key, and SharePoint fails with one,
// also for its own certificates. Whether Office Online Server does is not published.
func checkKeyProvider(d Desired, o Observed) []Finding {
	var out []Finding
	for _, s := range o.Office {
		if c, ok := s.Certificate(d.Target.Thumbprint); ok && c.isModernOnly() {
			out = append(out, stopFinding("key-storage-provider", s.Machine.Host, "remove it from the Personal store with its key, and let farmtrust import it",
				"the key of certificate %s is in %q and signs by CNG alone; Office Online Server is not known to use such a key", c.Thumbprint.Short(), c.Provider))
		}
	}
	return out
}

// checkCurrentKey warns of the certificate in use: data refreshes may be failing
// already.
func checkCurrentKey(d Desired, o Observed) []Finding {
	current, ok := o.Current()
	if !ok || current.Thumbprint == d.Target.Thumbprint {
		return nil
	}
	var out []Finding
	for _, s := range o.Office {
		if c, ok := s.Certificate(current.Thumbprint); ok && c.isModernOnly() {
			out = append(out, warnFinding("current-key-storage-provider", s.Machine.Host, "test a data refresh; the rotation ends this, a rollback would restore it",
				"the key of certificate %s, in use now, is in %q and signs by CNG alone; Office Online Server is not known to use such a key", c.Thumbprint.Short(), c.Provider))
		}
	}
	return out
}

// checkTargetEnd stops a renewal that would shorten the life of the trust: the wrong file
// is in the folder, or the right one is not there yet.
func checkTargetEnd(d Desired, o Observed) []Finding {
	current, ok := o.Current()
	if !ok || current.Thumbprint == d.Target.Thumbprint || !d.Target.NotAfter.Before(current.NotAfter) {
		return nil
	}
	return []Finding{stopFinding("target-ends-earlier", "", "provide one that is valid for longer",
		"the newest certificate of the source, %s, ends on %s, before the one in use, %s, which ends on %s",
		d.Target.Thumbprint.Short(), FormatTime(d.Target.NotAfter), current.Thumbprint.Short(), FormatTime(current.NotAfter))}
}

// isModernOnly reports whether a key is one that the legacy path does not open. Keys
// that were not tested are told by the names of Microsoft's own providers.
func (c StoreCertificate) isModernOnly() bool {
	return !c.KeySigns && (c.ModernKeySigns || strings.Contains(c.Provider, "Key Storage Provider"))
}
