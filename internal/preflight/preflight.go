// Package preflight opens what a configuration names on this machine: the secrets, the
// files of CAs and the folders of certificates. It changes nothing, and connects to
// nothing.
//
// The configuration itself is checked by package config, which needs nothing but the
// file.
package preflight

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/secret"
	"github.com/farmtrust/farmtrust/internal/source"
)

// The codes of the findings of [Open].
const (
	CodeSecret      = "secret-unreadable"
	CodeCA          = "ca-unusable"
	CodeCertificate = "no-certificate"
	CodeDoor        = "door-unusable"
	CodeDoorEnds    = "door-certificate-ends"
	CodeFolder      = "folder-unusable"
)

// Open opens everything that a configuration names on this machine, and returns what
// a worker here would lack. Each text begins with the place in the file. Findings of
// severity [farm.Stop] keep a worker from its servers, or a farm from its rotation;
// the others are what [cert.Judge] says of the certificate that a farm would get, and the
// end of the door's own.
func Open(ctx context.Context, c *config.Config, now time.Time) []farm.Finding {
	var all []farm.Finding
	for _, name := range slices.Sorted(maps.Keys(c.Connections)) {
		all = append(all, openConnection("connections."+name, c.Connections[name])...)
	}
	if c.Notify != nil {
		all = append(all, openNotify(*c.Notify)...)
	}
	for _, f := range c.Farms {
		all = append(all, openSource(ctx, "farms["+f.Name+"].certificate.source", f, now)...)
	}
	all = append(all, openListen(c.Listen, now)...)
	return append(all, openPulls(c.Pull)...)
}

func openConnection(place string, c config.Connection) []farm.Finding {
	var all []farm.Finding
	if finding := openSecret(place+".password", c.Password); finding != nil {
		all = append(all, *finding)
	}
	return append(all, openCAs(place+".ca", c.CA)...)
}

// openNotify opens what it takes to tell operators.
func openNotify(c config.Notify) []farm.Finding {
	var all []farm.Finding
	if c.Bearer != "" {
		if finding := openSecret("notify.bearer", c.Bearer); finding != nil {
			all = append(all, *finding)
		}
	}
	return append(all, openCAs("notify.ca", c.CA)...)
}

// openCAs reads a file of CAs, unless none is named.
func openCAs(place, path string) []farm.Finding {
	if path == "" {
		return nil
	}
	if _, err := ReadCAs(path); err != nil {
		return []farm.Finding{stop(CodeCA, place, err)}
	}
	return nil
}

// openSecret returns why a secret cannot be read; nil when it can.
func openSecret(place string, ref secret.Ref) *farm.Finding {
	if _, err := ref.Resolve(); err != nil {
		finding := stop(CodeSecret, place, err)
		return &finding
	}
	return nil
}

// openSource reads the certificates of a farm's folder. One that farmtrust fills itself
// may be empty, or missing.
func openSource(ctx context.Context, place string, f config.Farm, now time.Time) []farm.Finding {
	folder, isOwn := f.Source.Directory, false
	if s := f.Source.SelfSigned; s != nil {
		folder, isOwn = &s.Directory, true
	}
	if finding := openSecret(place+".password", folder.Password); finding != nil {
		return []farm.Finding{*finding}
	}
	newest, err := source.Directory{Path: folder.Path, Password: folder.Password, Now: func() time.Time { return now }}.Newest(ctx)
	switch {
	case isOwn && (errors.Is(err, source.ErrNone) || errors.Is(err, fs.ErrNotExist)):
		return nil
	case err != nil:
		return []farm.Finding{stop(CodeCertificate, place, err)}
	}
	findings := cert.Judge(newest, now, f.Certificate)
	for i := range findings {
		findings[i].Text = place + ": " + findings[i].Text
	}
	return findings
}

func stop(code, place string, err error) farm.Finding {
	return farm.Finding{Code: code, Severity: farm.Stop, Text: fmt.Sprintf("%s: %v", place, err)}
}

// ReadCAs reads a file of PEM certificates, at least one, and refuses one that holds
// anything else: x509.CertPool.AppendCertsFromPEM silently skips what it cannot read.
func ReadCAs(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: name a readable file of PEM certificates", err)
	}
	defer file.Close()
	content, err := readAllCertificates(file)
	if err != nil {
		return nil, fmt.Errorf("%s %w: name a readable file of PEM certificates", path, err)
	}
	return content, nil
}
