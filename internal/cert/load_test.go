package cert_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestLoad(t *testing.T) {
	t.Run("the key's certificate and its chain are found in any order", func(t *testing.T) {
		leaf, middle, root := issueChain(t, nil)
		stranger := issueCertificate(t, "Other CA", shortKey(), nil, makeAuthority)
		want := farm.Certificate{
			Thumbprint: farm.ThumbprintOf(leaf.cert.Raw), Subject: "CN=OOS S2S", Issuer: "CN=Issuing CA",
			NotBefore: leaf.cert.NotBefore, NotAfter: leaf.cert.NotAfter, DER: leaf.cert.Raw,
			Chain: []farm.ChainCertificate{
				{Thumbprint: farm.ThumbprintOf(middle.cert.Raw), Subject: "CN=Issuing CA", NotAfter: middle.cert.NotAfter, DER: middle.cert.Raw},
				{Thumbprint: farm.ThumbprintOf(root.cert.Raw), Subject: "CN=Root CA", NotAfter: root.cert.NotAfter, DER: root.cert.Raw},
			},
		}
		for name, file := range map[string][]byte{
			"as it should be":       encodePFX(t, leaf.key, leaf, middle, root),
			"root first":            encodePFX(t, leaf.key, root, middle, leaf),
			"the certificate twice": encodePFX(t, leaf.key, leaf, leaf, root, middle),
			"with another CA":       encodePFX(t, leaf.key, stranger, root, leaf, middle),
		} {
			t.Run(name, func(t *testing.T) {
				got, err := cert.Load(t.Context(), file, []byte(password))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got.Certificate); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			})
		}
	})

	t.Run("a self-signed certificate is its own chain", func(t *testing.T) {
		for name, change := range map[string]func(*x509.Certificate){"not a CA": nil, "a CA": makeAuthority} {
			t.Run(name, func(t *testing.T) {
				self := issueCertificate(t, "OOS S2S", rsaKey(), nil, change)
				got, err := cert.Load(t.Context(), encodePFX(t, self.key, self), []byte(password))
				if err != nil {
					t.Fatal(err)
				}
				want := farm.Certificate{
					Subject: "CN=OOS S2S", Issuer: "CN=OOS S2S", SelfSigned: true, NotBefore: self.cert.NotBefore, NotAfter: self.cert.NotAfter,
					Thumbprint: farm.ThumbprintOf(self.cert.Raw), DER: self.cert.Raw,
				}
				if diff := cmp.Diff(want, got.Certificate); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			})
		}
	})

	t.Run("a cross-signed CA does not hide the root", func(t *testing.T) {
		leaf, middle, root := issueChain(t, nil)
		older := issueCertificate(t, "Older Root", shortKey(), nil, makeAuthority)
		crossed := issueCertificate(t, "Root CA", authorityKey(), older, makeAuthority)
		// The path through a CA whose own issuer is missing leads nowhere.
		deadEnd := issueCertificate(t, "Issuing CA", authorityKey(), issueCertificate(t, "Gone CA", shortKey(), nil, makeAuthority), makeAuthority)
		got, err := cert.Load(t.Context(), encodePFX(t, leaf.key, leaf, deadEnd, crossed, middle, older, root), []byte(password))
		if err != nil {
			t.Fatal(err)
		}
		want := []farm.Thumbprint{farm.ThumbprintOf(middle.cert.Raw), farm.ThumbprintOf(root.cert.Raw)}
		if diff := cmp.Diff(want, chainThumbprints(got.Certificate.Chain)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})

	t.Run("a chain signed with SHA-1 is a chain", func(t *testing.T) {
		leaf, middle, root := issueChain(t, func(c *x509.Certificate) { c.SignatureAlgorithm = x509.SHA1WithRSA })
		got, err := cert.Load(t.Context(), encodePFX(t, leaf.key, leaf, middle, root), []byte(password))
		if err != nil || len(got.Certificate.Chain) != 2 {
			t.Errorf("got %v, %v", got, err)
		}
	})

	t.Run("a leaf cannot issue", func(t *testing.T) {
		leaf, _, root := issueChain(t, nil)
		forged := issueCertificate(t, "Forged", shortKey(), &testIdentity{leaf.cert, leaf.key}, nil)
		if _, err := cert.Load(t.Context(), encodePFX(t, shortKey(), forged, leaf, root), []byte(password)); !errors.Is(err, cert.ErrNoChain) {
			t.Errorf("got %v; want %v", err, cert.ErrNoChain)
		}
	})

	t.Run("names are written as Windows writes them", func(t *testing.T) {
		for want, name := range map[string]pkix.Name{
			"CN=OOS S2S, OU=IT, O=Contoso, L=Bern, S=BE, C=CH": {
				CommonName: "OOS S2S", OrganizationalUnit: []string{"IT"}, Organization: []string{"Contoso"},
				Locality: []string{"Bern"}, Province: []string{"BE"}, Country: []string{"CH"},
			},
			`CN="a, b", O="He said ""no"""`: {CommonName: "a, b", Organization: []string{`He said "no"`}},
			"OID.1.3.6.1.4.1.9999=x, CN=Grüße": {ExtraNames: []pkix.AttributeTypeAndValue{
				{Type: []int{2, 5, 4, 3}, Value: "Grüße"}, {Type: []int{1, 3, 6, 1, 4, 1, 9999}, Value: "x"},
			}},
			"CN=oos, DC=contoso, DC=com": {ExtraNames: []pkix.AttributeTypeAndValue{
				{Type: []int{0, 9, 2342, 19200300, 100, 1, 25}, Value: "com"},
				{Type: []int{0, 9, 2342, 19200300, 100, 1, 25}, Value: "contoso"},
				{Type: []int{2, 5, 4, 3}, Value: "oos"},
			}},
		} {
			t.Run(want, func(t *testing.T) {
				self := issueCertificate(t, "", rsaKey(), nil, func(c *x509.Certificate) { c.Subject = name })
				got, err := cert.Load(t.Context(), encodePFX(t, self.key, self), []byte(password))
				if err != nil || got.Certificate.Subject != want {
					t.Errorf("got %v, %v; want %s", got, err, want)
				}
			})
		}
	})
}

func TestLoad_Refused(t *testing.T) {
	leaf, middle, root := issueChain(t, nil)
	second := issueCertificate(t, "Other S2S", shortKey(), middle, nil)
	renewed := issueCertificate(t, "OOS S2S renewed", rsaKey(), middle, nil)
	impostor := issueCertificate(t, "Root CA", shortKey(), nil, makeAuthority)
	good := encodePFX(t, leaf.key, leaf, middle, root)
	keyless, err := pkcs12.Modern2023.EncodeTrustStore([]*x509.Certificate{leaf.cert}, password)
	if err != nil {
		t.Fatal(err)
	}
	noMAC, err := pkcs12.Passwordless.Encode(leaf.key, leaf.cert, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file     []byte
		password string
		want     error
		text     string
	}{
		"empty": {nil, password, cert.ErrUnreadable, "unreadable PFX: asn1: syntax error: sequence truncated: export it again with its key and its chain"},
		"text":  {[]byte("-----BEGIN CERTIFICATE-----"), password, cert.ErrUnreadable, ""},
		"cut off": {
			good[:len(good)-1], password, cert.ErrUnreadable,
			"unreadable PFX: asn1: syntax error: data truncated: export it again with its key and its chain",
		},
		"with more after it": {
			append(bytes.Clone(good), 0), password, cert.ErrUnreadable,
			"unreadable PFX: data after its end: export it again with its key and its chain",
		},
		"without a MAC": {
			noMAC, "", cert.ErrUnreadable,
			"unreadable PFX: it has no MAC, so its password proves nothing: export it again with its key and its chain",
		},
		"wrong password": {good, "open sesame", cert.ErrPassword, "wrong password for the PFX: correct the password that the configuration names"},
		"no password":    {good, "", cert.ErrPassword, "wrong password for the PFX: correct the password that the configuration names"},
		"impossible password": {
			good, "\U0001F511", cert.ErrPassword,
			"wrong password for the PFX: it holds characters that such a password cannot have: correct the password that the configuration names",
		},
		"no key": {keyless, password, cert.ErrNoKey, "no private key for a certificate of the PFX: export it again with its private key"},
		"the key of another": {
			encodePFX(t, shortKey(), leaf, middle, root), password, cert.ErrNoKey,
			"no private key for a certificate of the PFX: the key belongs to none of CN=OOS S2S and CN=Issuing CA and CN=Root CA: export the certificate with its own key",
		},
		"no chain": {
			encodePFX(t, leaf.key, leaf), password, cert.ErrNoChain,
			"incomplete chain in the PFX: the issuer CN=Issuing CA is missing: export it again with all certificates of the chain",
		},
		"no root": {
			encodePFX(t, leaf.key, leaf, middle), password, cert.ErrNoChain,
			"incomplete chain in the PFX: the issuer CN=Root CA is missing: export it again with all certificates of the chain",
		},
		"a root of the same name": {
			encodePFX(t, leaf.key, leaf, middle, impostor), password, cert.ErrNoChain,
			"incomplete chain in the PFX: the issuer CN=Root CA is missing: export it again with all certificates of the chain",
		},
		"another certificate": {
			encodePFX(t, leaf.key, leaf, middle, root, second), password, cert.ErrManyLeaves,
			"more than one certificate in the PFX: CN=OOS S2S and CN=Other S2S: export one certificate to one file",
		},
		"another certificate with the same key": {
			encodePFX(t, leaf.key, leaf, middle, root, renewed), password, cert.ErrManyLeaves,
			"more than one certificate in the PFX: CN=OOS S2S and CN=OOS S2S renewed: export one certificate to one file",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := cert.Load(t.Context(), c.file, []byte(c.password))
			if !errors.Is(err, c.want) {
				t.Errorf("got %v; want %v", err, c.want)
			} else if c.text != "" && err.Error() != c.text {
				t.Errorf("got\n%s\nwant\n%s", err, c.text)
			}
		})
	}
}

func chainThumbprints(chain []farm.ChainCertificate) (all []farm.Thumbprint) {
	for _, c := range chain {
		all = append(all, c.Thumbprint)
	}
	return all
}

func FuzzLoad(f *testing.F) {
	leaf, middle, root := issueChain(f, nil)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	self := issueCertificate(f, "OOS S2S", ec, nil, nil)
	f.Add(encodePFX(f, leaf.key, leaf, middle, root), password)
	f.Add(encodePFX(f, ec, self), password)
	f.Add(encodePFX(f, ec, self), "wrong")
	f.Add([]byte{}, "")
	plain, err := pkcs12.Passwordless.Encode(ec, self.cert, nil, "")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain, "")
	reasons := []error{cert.ErrUnreadable, cert.ErrPassword, cert.ErrNoKey, cert.ErrNoChain, cert.ErrManyLeaves}
	f.Fuzz(func(t *testing.T, file []byte, password string) {
		bundle, err := cert.Load(t.Context(), file, []byte(password))
		if err == nil {
			if len(bundle.Certificate.DER) == 0 || bundle.Certificate.SelfSigned == (len(bundle.Certificate.Chain) > 0) {
				t.Errorf("accepted an incomplete certificate: %+v", bundle.Certificate)
			}
			return
		}
		for _, reason := range reasons {
			if errors.Is(err, reason) {
				return
			}
		}
		t.Errorf("%v wraps no reason", err)
	})
}
