package config

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/farmtrust/farmtrust/internal/secret"
)

// connections reads named connections into all.
func (r *reader) connections(n node, all map[string]Connection) {
	if !n.isMapping() {
		r.problem(n, "write each connection's name with its fields below it", "must be a mapping%s", butIs(n))
		return
	}
	for name, value := range r.entries(n, map[string]int{}) {
		all[name.Value] = r.connection(value)
		r.connectedBy[name.Value] = value
	}
}

func (r *reader) connection(n node) (c Connection) {
	r.mapping(n, fields{
		"auth": {required: "write basic or ntlm", read: func(n node) {
			c.Auth = choice(r, n, []Auth{Basic, NTLM}, map[string]string{"kerberos": "use ntlm: kerberos comes later"})
		}},
		"user":     {required: "name the account", read: func(n node) { c.User, _ = r.text(n) }},
		"password": {required: "name the secret: file:/path or env:NAME", read: func(n node) { c.Password = r.secret(n) }},
		"keytab":   {later: true},
		"ca":       {read: func(n node) { c.CA = r.authorities(n) }},
		"allowUnverified": {read: func(n node) {
			c.AllowUnverified = r.flag(n)
			if c.AllowUnverified {
				r.warning(n, "name the authority under ca", "server certificates are not verified: whoever is in between can read and change everything")
			}
		}},
	})
	if c.Auth == Basic && strings.ContainsAny(c.User, `\@`) {
		r.warning(n, "use ntlm for domain accounts", "Windows accepts basic for local accounts only")
	}
	if c.AllowUnverified && c.CA != "" {
		r.problem(n, "keep one of them", "has both ca and allowUnverified")
	}
	return c
}

// authorities reads the path of a PEM file and looks whether it can be used.
func (r *reader) authorities(n node) string {
	path := r.path(n)
	if path == "" {
		return ""
	}
	if err := readableCertificates(path); err != nil {
		r.problem(n, "name a readable file of PEM certificates", "%v", err)
	}
	return path
}

// readableCertificates looks for at least one PEM certificate, and for none
// that cannot be read: the system's parser skips those without a word.
func readableCertificates(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	rest, err := io.ReadAll(io.LimitReader(file, MaxSize))
	if err != nil {
		return err
	}
	found := false
	for block, rest := pem.Decode(rest); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("%s holds a %s", path, strings.ToLower(block.Type))
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		found = true
	}
	if !found {
		return errors.New(path + " holds no PEM certificate")
	}
	return nil
}

// relative makes a file's path relative to the configuration's folder.
func (r *reader) relative(ref secret.Ref) secret.Ref {
	path, isFile := strings.CutPrefix(string(ref), "file:")
	if !isFile || filepath.IsAbs(path) {
		return ref
	}
	return secret.Ref("file:" + filepath.Join(r.folder, path))
}
