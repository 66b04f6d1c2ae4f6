package config

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/farmtrust/farmtrust/internal/secret"
)

// readConnections reads named connections into all.
func (r *reader) readConnections(n node, all map[string]Connection) {
	if !n.isMapping() {
		r.addProblem(n, "write each connection's name with its fields below it", "must be a mapping%s", describeKind(n))
		return
	}
	for name, value := range r.readEntries(n, map[string]int{}) {
		all[name.Value] = r.readConnection(value)
		r.connectedBy[name.Value] = value
	}
}

func (r *reader) readConnection(n node) (c Connection) {
	r.readMapping(n, fields{
		"auth": {required: "write basic or ntlm", read: func(n node) {
			c.Auth = readChoice(r, n, []Auth{Basic, NTLM}, map[string]string{"kerberos": "use ntlm; kerberos comes in a later version"})
		}},
		"user":     {required: "name the account", read: func(n node) { c.User, _ = r.readText(n) }},
		"password": {required: "name the secret: file:/path or env:NAME", read: func(n node) { c.Password = r.readSecret(n) }},
		"keytab":   {later: true},
		"ca":       {read: func(n node) { c.CA = r.readPath(n) }},
		"allowUnverified": {read: func(n node) {
			c.AllowUnverified = r.readFlag(n)
			if c.AllowUnverified {
				r.addWarning(n, "name the CA under ca", "server certificates are not verified: anyone on the network path can read and change everything")
			}
		}},
	})
	switch namesDomain := strings.ContainsAny(c.User, `\@`); {
	case c.Auth == Basic && namesDomain:
		r.addWarning(n, "use ntlm for domain accounts", "Windows accepts basic for local accounts only")
	case c.Auth == NTLM && c.User != "" && !namesDomain:
		r.addWarning(n, fmt.Sprintf(`write DOMAIN\%[1]s or %[1]s@domain, unless it is a local account of each server`, c.User), "the account %s has no domain", c.User)
	}
	if c.AllowUnverified && c.Auth == Basic {
		r.addProblem(n, "name the CA under ca, or use auth: ntlm, which does not send the password", "has both auth: basic and allowUnverified: anybody who answers would be sent the password")
	}
	if c.AllowUnverified && c.CA != "" {
		r.addProblem(n, "keep one of them", "has both ca and allowUnverified")
	}
	return c
}

// resolveSecretPath resolves a secret's relative path against the folder of the
// configuration file.
func (r *reader) resolveSecretPath(n node, ref secret.Ref) secret.Ref {
	path, isFile := strings.CutPrefix(string(ref), "file:")
	if !isFile || filepath.IsAbs(path) {
		return ref
	}
	r.warnOfForeignPath(n, path)
	return secret.Ref("file:" + filepath.Join(r.folder, path))
}
