package powershell_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/farmtrust/farmtrust/internal/farm"
)

const (
	site       = "https://portal.contoso.com"
	friendly   = "farmtrust 2026-11"
	longAgo    = "2026-01-01T00:00:00Z"
	yesterday  = "2026-11-22T08:00:00Z"
	sinceStart = "2026-11-22T09:00:00Z"
)

var (
	sharePointIssuer = farm.Issuers()[0].RegisteredName
	sqlIssuer        = farm.Issuers()[1].RegisteredName
)

// made is a self-signed certificate with its key.
type made struct {
	der, pfx   []byte
	thumbprint string
	subject    string
}

const pfxPassword = "p\u00e4ss\u2019word\"$(1)"

func makeCertificate(t *testing.T, name string) made {
	t.Helper()
	return makeCertificateIn(t, name, pkcs12.Modern, pfxPassword)
}

func makeCertificateIn(t *testing.T, name string, encoder *pkcs12.Encoder, password string) made {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2028, 11, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pfx, err := encoder.Encode(key, parsed, nil, password)
	if err != nil {
		t.Fatal(err)
	}
	return made{der: der, pfx: pfx, thumbprint: string(farm.ThumbprintOf(der)), subject: "CN=" + name}
}

// inStore is the certificate as an entry of a store, without its key.
func (m made) inStore(friendlyName string) storeEntry {
	return storeEntry{DER: m.der, FriendlyName: friendlyName}
}

// owned is the certificate in the Personal store with a key.
func (m made) owned(t *testing.T, friendlyName string) storeEntry {
	t.Helper()
	key, cert, err := pkcs12.Decode(m.pfx, pfxPassword)
	if err != nil {
		t.Fatal(err)
	}
	pfx, err := pkcs12.Modern.Encode(key, cert, nil, "world")
	if err != nil {
		t.Fatal(err)
	}
	return storeEntry{
		DER: m.der, PFX: pfx, FriendlyName: friendlyName, Provider: farm.KeyProvider,
		File: `C:\keys\` + m.thumbprint, Readers: []string{"S-1-5-18", "S-1-5-32-544"},
	}
}

// privateForms are a key in the two forms of its own, and the start of a
// PKCS #7 message, as long as a certificate.
func privateForms(t *testing.T) (pkcs8, pkcs1, pkcs7 []byte) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err = x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	content := append([]byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02}, make([]byte, 489)...)
	return pkcs8, x509.MarshalPKCS1PrivateKey(key), append([]byte{0x30, 0x82, 0x01, 0xf4}, content...)
}

func machineName(t *testing.T) string {
	t.Helper()
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// someMachine is a healthy Windows server before anything was done to it.
func someMachine() map[string]any {
	return map[string]any{
		"stores":      map[string]any{"My": []storeEntry{}, "Root": []storeEntry{}, "CA": []storeEntry{}},
		"keyProvider": farm.KeyProvider, "losesKeys": false, "removedKeys": []string{},
		"clings": false, "tlsText": []string{}, "listeners": []string{},
		"machine": map[string]any{
			"domain": "contoso.com", "forest": "contoso.com", "windowsBuild": 17763, "elevated": true,
			"fips": false, "pendingReboot": false, "configurationMode": "ApplyAndMonitor",
		},
		"services": map[string]any{
			"WACSM":     map[string]any{"status": "Running", "startType": "Automatic", "since": sinceStart, "afterRestart": "Running"},
			"SPTimerV4": map[string]any{"status": "Running", "startType": "Automatic", "since": sinceStart, "afterRestart": "Running"},
		},
		"workersSince": sinceStart, "iisResetCode": 0, "tasks": map[string]any{}, "taskResult": nil,
		"web": map[string]any{"status": 200, "problem": ""},
	}
}

// officeServer is a machine that is the master of a farm of two.
func officeServer(t *testing.T) map[string]any {
	t.Helper()
	w := someMachine()
	w["office"] = map[string]any{
		"joined": true, "forgets": false, "refusesNoName": false, "fails": false, "master": machineName(t), "health": "Unhealthy",
		"machines": []string{machineName(t), "OOS-02"},
		"farm": map[string]any{
			"s2sCertificateName": "", "certificateName": "office.contoso.com", "allowHttp": false, "sslOffloaded": false,
			"allowOutboundHttp": false, "allowHttpSecureStoreConnections": false,
		},
	}
	return w
}

// frontEnd is a SharePoint server of a farm without trusts.
func frontEnd(version string) map[string]any {
	w := someMachine()
	w["sharePoint"] = map[string]any{
		"version": version, "reachable": true, "conflict": false, "forgets": false, "withoutPrincipals": false,
		"issuers": []issuerEntry{}, "authorities": []authorityEntry{}, "permissions": []permissionEntry{},
		"sites":               []string{site},
		"serviceApplications": []string{"Microsoft.Office.Server.Administration.UserProfileApplication", "Microsoft.SharePoint.Other"},
		"servers": []map[string]string{
			{"name": "SP-01", "role": "WebFrontEnd"}, {"name": "SQL-01", "role": "Invalid"},
		},
	}
	return w
}

// with sets one field of a part of a world.
func with(w map[string]any, part, field string, value any) map[string]any {
	inner, ok := w[part].(map[string]any)
	if !ok {
		panic("no part " + part)
	}
	inner[field] = value
	return w
}
