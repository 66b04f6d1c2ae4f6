package config

import (
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
		"exportable": {read: func(n node) { policy.Exportable = r.readFlag(n) }},
		"events": {read: func(n node) {
			r.readList(n, func(n node) { policy.Events = append(policy.Events, r.readEventMatch(n)) })
		}},
	})
	if s := source.SelfSigned; s != nil && s.ValidFor > 0 && s.ValidFor <= policy.LeadTime {
		r.addProblem(n, "make validFor longer than leadTime", "certificates would be valid for no longer than the lead time")
	}
	return policy, source
}

func (r *reader) readSource(n node) (s Source) {
	r.readMapping(n, fields{
		"directory": {read: func(n node) {
			s.Directory = &Directory{}
			r.readMapping(n, r.directoryFields(s.Directory))
		}},
		"selfSigned": {read: func(n node) {
			s.SelfSigned = r.readSelfSigned(n)
			if first, taken := r.selfSignedPaths[s.SelfSigned.Path]; taken && s.SelfSigned.Path != "" {
				r.addProblem(n, "give each farm a folder of its own", "the folder is already used on line %d", first)
			}
			r.selfSignedPaths[s.SelfSigned.Path] = n.Line
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

func (r *reader) readEventMatch(n node) (match farm.EventMatch) {
	r.readMapping(n, fields{
		"vault":       {read: func(n node) { match.Vault, _ = r.readText(n) }},
		"certificate": {read: func(n node) { match.Certificate, _ = r.readText(n) }},
	})
	if n.isMapping() && len(n.Content) == 0 {
		r.addProblem(n, "write vault, certificate or both", "would match every event")
	}
	return match
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
