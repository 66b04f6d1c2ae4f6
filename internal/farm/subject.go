package farm

import (
	"fmt"
	"slices"
	"strings"
)

// visibleSubject is the subject of a difference between which certificates of one
// subject are archived and which should be.
const visibleSubject = "visible certificate"

// sharesSubject reports whether a certificate is another one with the target's
// subject. In one published case two such certificates in the Personal store kept
// WACSM from starting, so they are never both visible when it starts.
// Source: sharepointpain.com, 2025, for the HTTPS certificate; whether S2S is
// affected is unknown.
func (c StoreCertificate) sharesSubject(t Certificate) bool {
	return c.Thumbprint != t.Thumbprint && t.Subject != "" && strings.EqualFold(c.Subject, t.Subject)
}

// VisibleSharers returns the server's other certificates with the target's subject
// that are not archived. They are archived when the target comes into use.
func (s OfficeServer) VisibleSharers(t Certificate) []Thumbprint {
	var out []Thumbprint
	for _, c := range s.Certificates {
		if c.sharesSubject(t) && !c.Archived {
			out = append(out, c.Thumbprint)
		}
	}
	return out
}

// ImportsArchived reports whether the target is imported archived on this server,
// so that its service still starts before the cutover.
func (s OfficeServer) ImportsArchived(t Certificate) bool {
	c, _ := s.Certificate(t.Thumbprint)
	return c.Archived || len(s.VisibleSharers(t)) > 0
}

// compareVisible lists whether the target will be the only visible certificate of
// its subject on a server. What staging leaves changes nothing about it.
func compareVisible(step Step, s OfficeServer, t Certificate) []Difference {
	sharers := listShort(s.VisibleSharers(t))
	c, _ := s.Certificate(t.Thumbprint)
	d := Difference{Step: step, Server: s.Machine.Host, Subject: visibleSubject, Have: sharers, Want: t.Thumbprint.Short()}
	switch {
	case sharers != "":
		d.Text = fmt.Sprintf("archive %s when %s comes into use: they have one subject, and WACSM may not start while both are visible", sharers, d.Want)
	case c.Archived:
		d.Have, d.Text = "none", fmt.Sprintf("unarchive %s: Office Online Server does not find an archived certificate", d.Want)
	default:
		return nil
	}
	return []Difference{d}
}

// withoutVisible leaves out the differences of [compareVisible], which need no
// restart: a running service has loaded its certificate.
func withoutVisible(differences []Difference) []Difference {
	return slices.DeleteFunc(slices.Clone(differences), func(d Difference) bool { return d.Subject == visibleSubject })
}

// checkSubject explains what is done about other certificates of the target's
// subject, and stops where one of them must stay visible because something else
// uses it.
func checkSubject(d Desired, o Observed) []Finding {
	var out []Finding
	for _, s := range o.Office {
		for _, c := range s.Certificates {
			if !c.sharesSubject(d.Target) || c.Archived {
				continue
			}
			uses := c.Uses
			if c.FriendlyName != "" && strings.EqualFold(c.FriendlyName, s.Settings.CertificateName) {
				uses = append([]string{"CertificateName"}, uses...)
			}
			if len(uses) > 0 {
				out = append(out, stopFinding("subject-shared-in-use", s.Machine.Host, "provide a certificate with a subject of its own, or give the other use another certificate",
					"certificate %s has the subject of the new one, so it must be archived when that comes into use, but it is also used by: %s", c.Thumbprint.Short(), strings.Join(uses, ", ")))
				continue
			}
			out = append(out, warnFinding("subject-shared", s.Machine.Host, "nothing needs to be done",
				"certificate %s has the subject of the new one, and WACSM may not start while both are visible: the new one stays archived until the cutover, which archives %[1]s", c.Thumbprint.Short()))
		}
	}
	return out
}

// VisibleBefore returns which of a server's certificates a rollback unarchives, and
// which it archives. What was visible before is visible again, and the certificate
// that is restored is in any case, alone of its subject if it was archived; the target
// is hidden from the others of its subject until it is removed. Where the target
// stays, so does what is visible.
func (s Snapshot) VisibleBefore(host string) (unarchive, archive []Thumbprint) {
	if s.NamedTarget(host) {
		return nil, nil
	}
	return s.visibleBefore(host)
}

func (s Snapshot) visibleBefore(host string) (unarchive, archive []Thumbprint) {
	previous, before := s.PreviousOn(host), s.Before.OfficeServer(host)
	was, _ := before.Certificate(previous.Thumbprint)
	for _, c := range before.Certificates {
		isTarget := c.Thumbprint == s.Target.Thumbprint
		restored := c.Thumbprint == previous.Thumbprint
		inTheWay := was.Archived && c.sharesSubject(Certificate{Thumbprint: previous.Thumbprint, Subject: was.Subject})
		switch {
		case !isTarget && !restored && !c.sharesSubject(s.Target):
		case restored || (!c.Archived && !inTheWay):
			unarchive = append(unarchive, c.Thumbprint)
		default:
			archive = append(archive, c.Thumbprint)
		}
	}
	if t := previous.Thumbprint; t != "" && !slices.Contains(unarchive, t) {
		unarchive = append(unarchive, t)
	}
	if s.hidesTarget(before, previous, unarchive) && !slices.Contains(archive, s.Target.Thumbprint) {
		archive = append(archive, s.Target.Thumbprint)
	}
	return unarchive, archive
}

// hidesTarget reports whether the target is to be hidden on a server, because others
// of its subject are visible there.
func (s Snapshot) hidesTarget(before OfficeServer, previous StoreCertificate, visible []Thumbprint) bool {
	if slices.Contains(visible, s.Target.Thumbprint) {
		return false
	}
	return previous.sharesSubject(s.Target) || slices.ContainsFunc(visible, func(t Thumbprint) bool {
		c, _ := before.Certificate(t)
		return c.sharesSubject(s.Target)
	})
}

// planVisible adds what of [Snapshot.VisibleBefore] is not so on a server now.
func (p *rollbackPlanner) planVisible(step Step, s OfficeServer) {
	if p.snapshot.WasClearRefused(s.OfficeFarm) {
		return
	}
	unarchive, archive := p.snapshot.visibleBefore(s.Machine.Host)
	hidden, shown := s.selectArchived(unarchive, true), s.selectArchived(archive, false)
	var texts []string
	if len(hidden) > 0 {
		texts = append(texts, "unarchive "+listShort(hidden))
	}
	if len(shown) > 0 {
		texts = append(texts, "archive "+listShort(shown))
	}
	before := p.snapshot.Before.OfficeServer(s.Machine.Host)
	stays := len(before.selectArchived(unarchive, true)) > 0 || len(before.selectArchived(archive, false)) > 0
	named := p.snapshot.NamedTarget(s.Machine.Host)
	if stays || (named && len(texts) > 0) {
		p.addStays(s.Machine.Host, visibleSubject)
	}
	if !named && len(texts) > 0 {
		p.addReversal(step, s.Machine.Host, visibleSubject, textOrNone(listShort(shown)), textOrNone(listShort(hidden)),
			"%s: WACSM may not start while certificates of one subject are visible together", strings.Join(texts, " and "))
	}
}

// selectArchived returns those certificates that the server has and that are
// archived, or are not.
func (s OfficeServer) selectArchived(thumbprints []Thumbprint, archived bool) []Thumbprint {
	return slices.DeleteFunc(slices.Clone(thumbprints), func(t Thumbprint) bool {
		c, ok := s.Certificate(t)
		return !ok || c.Archived != archived
	})
}

// listShort lists thumbprints, shortened.
func listShort(thumbprints []Thumbprint) string {
	var short []string
	for _, t := range thumbprints {
		short = append(short, t.Short())
	}
	return strings.Join(short, ", ")
}
