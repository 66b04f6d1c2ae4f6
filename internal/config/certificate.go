package config

import (
	"strings"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/secret"
)

func (r *reader) certificate(n node) (farm.CertificatePolicy, Source) {
	policy := farm.CertificatePolicy{Name: defaultCertificateName, LeadTime: defaultLeadTime}
	var source Source
	r.mapping(n, fields{
		"name":       {read: func(n node) { policy.Name, _ = r.name(n, maxName) }},
		"source":     {required: "write directory or selfSigned below it", read: func(n node) { source = r.source(n) }},
		"leadTime":   {read: func(n node) { policy.LeadTime = r.duration(n) }},
		"exportable": {read: func(n node) { policy.Exportable = r.flag(n) }},
		"events": {read: func(n node) {
			r.list(n, func(n node) { policy.Events = append(policy.Events, r.event(n)) })
		}},
	})
	if s := source.SelfSigned; s != nil && s.ValidFor > 0 && s.ValidFor <= policy.LeadTime {
		r.problem(n, "make validFor longer than leadTime", "certificates would be valid for no longer than the lead time: each would be replaced at once")
	}
	return policy, source
}

func (r *reader) source(n node) (s Source) {
	r.mapping(n, fields{
		"directory": {read: func(n node) {
			s.Directory = &Directory{}
			r.mapping(n, r.directory(s.Directory))
		}},
		"selfSigned": {read: func(n node) {
			s.SelfSigned = r.selfSigned(n)
			if first, taken := r.selfSignedPaths[s.SelfSigned.Path]; taken && s.SelfSigned.Path != "" {
				r.problem(n, "give each farm a folder of its own", "the folder is already that of the farm on line %d", first)
			}
			r.selfSignedPaths[s.SelfSigned.Path] = n.Line
		}},
	})
	if n.isMapping() && (s.Directory == nil) == (s.SelfSigned == nil) {
		r.problem(n, "write directory or selfSigned below it", "must name one source")
	}
	return s
}

// directory are the fields that both sources have.
func (r *reader) directory(d *Directory) fields {
	return fields{
		"path":     {required: "name the folder of the PFX files", read: func(n node) { d.Path = r.path(n) }},
		"password": {required: "name the secret that opens the PFX files: file:/path or env:NAME", read: func(n node) { d.Password = r.secret(n) }},
	}
}

func (r *reader) selfSigned(n node) *SelfSigned {
	s := &SelfSigned{Subject: defaultCertificateName, ValidFor: defaultValidFor}
	known := r.directory(&s.Directory)
	known["subject"] = field{read: func(n node) { s.Subject = r.commonName(n) }}
	known["validFor"] = field{read: func(n node) { s.ValidFor = r.duration(n) }}
	r.mapping(n, known)
	return s
}

// commonName reads a name as it stands alone: a distinguished name inside a
// common name would show as CN="CN=...".
func (r *reader) commonName(n node) string {
	name, ok := r.name(n, maxSubject)
	if ok && strings.ContainsAny(name, `=,+"\<>;`) {
		r.problem(n, "write the name alone: OOS S2S, not CN=OOS S2S", "must be a common name")
	}
	return name
}

func (r *reader) event(n node) (match farm.EventMatch) {
	r.mapping(n, fields{
		"vault":       {read: func(n node) { match.Vault, _ = r.text(n) }},
		"certificate": {read: func(n node) { match.Certificate, _ = r.text(n) }},
	})
	if n.isMapping() && len(n.Content) == 0 {
		r.problem(n, "write vault, certificate or both", "would match every event")
	}
	return match
}

// secret reads the name of a secret and never repeats what stands there.
func (r *reader) secret(n node) secret.Ref {
	text, ok := r.text(n)
	if !ok {
		return ""
	}
	ref, err := secret.Parse(text)
	if err != nil {
		r.problem(n, "keep the secret outside this file and name it: file:/path or env:NAME", "is not the name of a secret")
		return ""
	}
	return r.relative(ref)
}
