package config

import (
	"maps"
	"slices"
	"strings"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/secret"
)

func (r *reader) readCertificate(n node) (farm.CertificatePolicy, Source) {
	policy := farm.CertificatePolicy{Name: defaultCertificateName, LeadTime: defaultLeadTime}
	var source Source
	r.readMapping(n, fields{
		"name":       {read: func(n node) { policy.Name, _ = r.readName(n, maxName) }},
		"source":     {required: "write directory or selfSigned below it", read: func(n node) { source = r.readSource(n) }},
		"leadTime":   {read: func(n node) { policy.LeadTime = r.readDuration(n) }},
		"expect":     {read: func(n node) { policy.Expect = r.readExpectation(n) }},
		"exportable": {read: func(n node) { policy.Exportable = r.readFlag(n) }},
		"events": {read: func(n node) {
			r.readList(n, func(n node) { policy.Events = append(policy.Events, r.readEventMatch(n)) })
		}},
	})
	if s := source.SelfSigned; s != nil && s.ValidFor > 0 && s.ValidFor <= policy.LeadTime {
		r.addProblem(n, "make validFor longer than leadTime", "certificates would be valid for no longer than the lead time")
	}
	if e := policy.Expect; source.SelfSigned != nil && (e.Issuer != "" || e.Subject != "") {
		r.addProblem(n, "remove issuer and subject", "a self-signed source makes its certificates itself: the subject is that of the source, and there is no issuer")
	}
	r.checkFolder(n, source, policy.Expect)
	return policy, source
}

// checkFolder reports a folder that another farm has too: a certificate that is put
// there for one of them is the newest for both.
func (r *reader) checkFolder(n node, s Source, expect farm.Expectation) {
	path, isOwn := "", s.SelfSigned != nil
	if isOwn {
		path = s.SelfSigned.Path
	} else if s.Directory != nil {
		path = s.Directory.Path
	}
	if path == "" {
		return
	}
	first, taken := r.folders[path]
	switch {
	case !taken:
		r.folders[path] = folderUse{n.Line, isOwn, expect.Subject != ""}
	case isOwn || first.isOwn:
		r.addProblem(n, "give each farm a folder of its own", "the folder of its certificates is already used on line %d", first.line)
	case expect.Subject == "" || !first.pinned:
		r.addWarning(n, "give each farm a folder of its own, or pin the subjects of both by certificate.expect.subject",
			"the folder of its certificates is also that of the farm on line %d: a certificate for one is taken for the other", first.line)
	}
}

// folderUse is the first use of a folder of certificates.
type folderUse struct {
	line int
	// isOwn reports whether farmtrust fills it, pinned whether the farm takes but one
	// subject from it.
	isOwn, pinned bool
}

func (r *reader) readExpectation(n node) (e farm.Expectation) {
	words := slices.Sorted(maps.Keys(farm.ExtendedKeyUsages))
	r.readMapping(n, fields{
		"issuer":  {read: func(n node) { e.Issuer, _ = r.readText(n) }},
		"subject": {read: func(n node) { e.Subject = r.readSubjectPattern(n) }},
		"keyUsage": {read: func(n node) {
			r.readList(n, func(n node) { e.KeyUsage = append(e.KeyUsage, r.readUsage(n, farm.KeyUsages)) })
		}},
		"extendedKeyUsage": {read: func(n node) {
			r.readList(n, func(n node) { e.ExtendedKeyUsage = append(e.ExtendedKeyUsage, r.readUsage(n, words)) })
		}},
	})
	return e
}

// readSubjectPattern reads a distinguished name, in which * may stand for a part of a
// value. A name without = would match no certificate.
func (r *reader) readSubjectPattern(n node) string {
	name, ok := r.readText(n)
	if ok && !strings.Contains(name, "=") {
		r.addProblem(n, "write the whole name as Windows shows it, such as CN=OOS S2S *, O=Contoso", "is not a distinguished name")
	}
	return name
}

// readUsage reads one of the known words, or an OID.
func (r *reader) readUsage(n node, known []string) string {
	word, ok := r.readText(n)
	isOID := strings.Trim(word, "0123456789.") == "" && strings.Contains(word, ".")
	if ok && !isOID && !slices.Contains(known, word) {
		r.addProblem(n, suggestWord(word, known, "the uses"), "%q is not a use of keys", word)
	}
	return word
}

func (r *reader) readSource(n node) (s Source) {
	r.readMapping(n, fields{
		"directory": {read: func(n node) {
			s.Directory = &Directory{}
			r.readMapping(n, r.directoryFields(s.Directory))
		}},
		"selfSigned": {read: func(n node) {
			s.SelfSigned = r.readSelfSigned(n)
		}},
	})
	if n.isMapping() && (s.Directory == nil) == (s.SelfSigned == nil) {
		r.addProblem(n, "write directory or selfSigned below it", "must name one source")
	}
	return s
}

// directoryFields are the fields that both sources have.
func (r *reader) directoryFields(d *Directory) fields {
	return fields{
		"path":     {required: "name the folder of the PFX files", read: func(n node) { d.Path = r.readPath(n) }},
		"password": {required: "name the secret that opens the PFX files: file:/path or env:NAME", read: func(n node) { d.Password = r.readSecret(n) }},
	}
}

func (r *reader) readSelfSigned(n node) *SelfSigned {
	s := &SelfSigned{Subject: defaultCertificateName, ValidFor: defaultValidFor}
	known := r.directoryFields(&s.Directory)
	known["subject"] = field{read: func(n node) { s.Subject = r.readCommonName(n) }}
	known["validFor"] = field{read: func(n node) { s.ValidFor = r.readDuration(n) }}
	r.readMapping(n, known)
	return s
}

// readCommonName reads a common name and refuses a distinguished name, which would
// end up as CN="CN=...".
func (r *reader) readCommonName(n node) string {
	name, ok := r.readName(n, maxSubject)
	if ok && strings.ContainsAny(name, `=,+"\<>;`) {
		r.addProblem(n, "write the name alone: OOS S2S, not CN=OOS S2S", "must be a common name")
	}
	return name
}

// readSecret reads the name of a secret. Its problems never repeat what was
// written, which may be the secret itself.
func (r *reader) readSecret(n node) secret.Ref {
	text, ok := r.readText(n)
	if !ok {
		return ""
	}
	ref, err := secret.Parse(text)
	if err != nil {
		r.addProblem(n, "keep the secret outside this file and name it: file:/path or env:NAME", "is not the name of a secret")
		return ""
	}
	return r.resolveSecretPath(n, ref)
}
