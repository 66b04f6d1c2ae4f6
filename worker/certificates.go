package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/mtls"
	"github.com/farmtrust/farmtrust/internal/secret"
)

const certificatesHelp = `Makes the certificates by which a Temporal server of your own and its clients know
each other, each in a folder with the three files that it needs: ca.pem, cert.pem and
key.pem. The key of the authority that signs them is not kept, so nobody can make
another; to replace one is to replace all.

What is there, and will be for another month, is left as it is, so it may run at each
start.

Examples:
  farmtrust-worker certificates -dir /tls -names temporal -clients worker,ui
  farmtrust-worker certificates -dir /tls -names temporal -clients worker,ui -renew

Flags:
`

// renewBefore is how long before their end certificates are made again.
const renewBefore = 30 * 24 * time.Hour

// serverFolder is the folder of the server's certificate.
const serverFolder = "server"

// runCertificates makes the certificates that are not there.
func runCertificates(_ context.Context, name string, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet(name+" certificates", flag.ContinueOnError)
	dir := flags.String("dir", "", "the `folder` in which each has its folder: server, and one for each client")
	names := flags.String("names", "", "the DNS `names` and addresses, separated by commas, that the server is reached by")
	clients := flags.String("clients", "", "the `names` of the clients, separated by commas")
	renew := flags.Bool("renew", false, "replace what is there; then restart the server and its clients")
	if err := parseFlags(flags, args, certificatesHelp, "", stderr); err != nil {
		return err
	}
	for _, f := range []struct{ name, value string }{{"dir", *dir}, {"names", *names}, {"clients", *clients}} {
		if f.value == "" {
			return &usageError{fmt.Errorf("-%s is required; see %s certificates -h", f.name, name)}
		}
	}
	all := append([]string{serverFolder}, strings.Split(*clients, ",")...)
	for _, party := range all {
		if filepath.Base(party) != party || party == "." || party == ".." {
			return &usageError{fmt.Errorf("-clients: %q is no name of a folder", party)}
		}
	}
	if !*renew && areUsable(*dir, all, time.Now()) {
		_, err := fmt.Fprintln(stdout, "the certificates are there")
		return err
	}
	set, err := mtls.New(strings.Split(*names, ","), all[1:]...)
	if err != nil {
		return err
	}
	if err := writeSet(*dir, set); err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, "the certificates are new")
	return err
}

// areUsable reports whether each party has a certificate of one and the same authority
// that does not end soon.
func areUsable(dir string, parties []string, now time.Time) bool {
	authority := ""
	for _, party := range parties {
		ca, err := os.ReadFile(filepath.Join(dir, party, "ca.pem"))
		if err != nil || authority != "" && authority != string(ca) {
			return false
		}
		authority = string(ca)
		certificate, err := os.ReadFile(filepath.Join(dir, party, "cert.pem"))
		if err != nil {
			return false
		}
		block, _ := pem.Decode(certificate)
		if block == nil {
			return false
		}
		parsed, err := x509.ParseCertificate(block.Bytes)
		if err != nil || now.After(parsed.NotAfter.Add(-renewBefore)) {
			return false
		}
		if _, err := os.Stat(filepath.Join(dir, party, "key.pem")); err != nil {
			return false
		}
	}
	return true
}

// writeSet writes each party's files. The certificate comes last, so that one that was
// interrupted is made again.
func writeSet(dir string, set mtls.Set) error {
	parties := map[string]mtls.Pair{serverFolder: set.Server}
	maps.Copy(parties, set.Clients)
	for name, pair := range parties {
		folder := filepath.Join(dir, name)
		if err := secret.MakeFolder(folder); err != nil {
			return err
		}
		for _, file := range []struct {
			name    string
			content []byte
		}{{"ca.pem", set.Authority}, {"key.pem", pair.Key}, {"cert.pem", pair.Certificate}} {
			if err := secret.Replace(filepath.Join(folder, file.name), file.content); err != nil {
				return err
			}
		}
	}
	return nil
}
