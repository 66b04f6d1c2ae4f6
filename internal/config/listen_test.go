package config_test

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/secret"
)

// fullListen has every way to prove who sends.
const fullListen = `listen:
  address: ":8443"
  certificate: door.pem
  key: file:door.key
  sources:
    - {name: vault, format: azure, queryKey: [env:A, env:B], rate: 5, farms: [contoso], eventGrid: {subscriptions: [expiry], callValidationUrl: true}}
    - {name: bearer, format: cloudevents, bearer: [env:A]}
    - {name: basic, format: cloudevents, basic: {user: alertmanager, password: [env:A]}}
    - {name: signed, format: cloudevents, hmac: {secrets: [env:A], header: x-infisical-signature, tolerance: 1m}}
    - {name: certificate, format: cloudevents, clientCertificate: {ca: ca.pem, names: [sender.contoso.com]}}
    - {name: entra, format: azure, entra: {tenant: 3C0E9D0A-6B57-4C1E-9A53-0D2B8C2F1A11, audience: a}}
`

func TestLoad_Listen(t *testing.T) {
	path := writeConfig(t, fullListen+minimalConfig)
	in := func(name string) string { return filepath.Join(filepath.Dir(path), name) }
	sender := func(name string, f event.Format, p config.Proof) config.Sender {
		return config.Sender{EventSource: config.EventSource{Name: name, Format: f}, Proof: p, Rate: 20}
	}
	one := []secret.Ref{"env:A"}
	vault := sender("vault", event.Azure, config.Proof{QueryKey: []secret.Ref{"env:A", "env:B"}})
	vault.Rate, vault.Farms = 5, []string{"contoso"}
	vault.EventGrid = config.EventGrid{Subscriptions: []string{"expiry"}, CallValidationURL: true}
	want := &config.Listen{
		Address: ":8443", Certificate: in("door.pem"), Key: secret.Ref("file:" + in("door.key")),
		Sources: []config.Sender{
			vault,
			sender("bearer", event.CloudEvents, config.Proof{Bearer: one}),
			sender("basic", event.CloudEvents, config.Proof{Basic: &config.BasicProof{User: "alertmanager", Password: one}}),
			sender("signed", event.CloudEvents, config.Proof{HMAC: &config.HMACProof{Secrets: one, Header: "X-Infisical-Signature", Tolerance: time.Minute}}),
			sender("certificate", event.CloudEvents, config.Proof{ClientCertificate: &config.CertificateProof{CA: in("ca.pem"), Names: []string{"sender.contoso.com"}}}),
			sender("entra", event.Azure, config.Proof{Entra: &config.EntraProof{Tenant: "3c0e9d0a-6b57-4c1e-9a53-0d2b8c2f1a11", Audience: "a", Client: "4962773b-9cdb-44cf-a8bf-237846a00ab7"}}),
		},
	}
	if diff := cmp.Diff(want, requireLoad(t, path).Listen, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Errorf("listen (-want +got):\n%s", diff)
	}
}

func TestLoad_ListenBehindAProxy(t *testing.T) {
	c := requireLoad(t, writeConfig(t, `listen:
  address: 127.0.0.1:8443
  proxies: [10.0.0.5, 10.1.0.9/24, "fd00::1"]
  sources: [{name: a, format: azure, bearer: [env:A]}]
`+minimalConfig))
	want := "[10.0.0.5/32 10.1.0.0/24 fd00::1/128]"
	if got := listText(c.Listen.Proxies); got != want {
		t.Errorf("proxies are %s, want %s", got, want)
	}
}

func listText(all []netip.Prefix) string {
	texts := make([]string, len(all))
	for i, p := range all {
		texts[i] = p.String()
	}
	return "[" + strings.Join(texts, " ") + "]"
}

func TestLoad_TheFileOfADoorNeedsNoFarms(t *testing.T) {
	c, err := config.LoadIntake(writeConfig(t, fullListen))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Listen.Sources) != 6 || len(c.Warnings) > 0 {
		t.Errorf("%d sources, warnings %v", len(c.Listen.Sources), c.Warnings)
	}
	if _, err := config.Load(c.Path); err == nil {
		t.Error("a worker takes the file too")
	}
}

func TestLoad_ASourceForAFarmOfAnotherSite(t *testing.T) {
	c := requireLoad(t, writeConfig(t, strings.Replace(fullListen, "[contoso]", "[contso]", 1)+minimalConfig))
	want := "6: listen.sources[0].farms[0]: there is no farm contso in this file: correct the name, unless another site has the farm"
	if got := strings.Join(describeProblems(c.Path, c.Warnings), "\n"); got != want {
		t.Errorf("warnings:\n%s\nwant:\n%s", got, want)
	}
}

func TestLoad_ListenProblems(t *testing.T) {
	const one = "listen: {address: ':1', certificate: a, key: env:K, sources: [{name: a, format: azure, bearer: [env:A]}]}\nfarms:"
	edit := func(old, new, want string) badConfig {
		return badConfig{"farms:", strings.Replace(one, old, new, 1), want}
	}
	assertProblems(t, map[string]badConfig{
		"no proof": edit(", bearer: [env:A]", "",
			"1: listen.sources[0]: must prove in one way that it is the source, and has 0: write one of bearer, basic, hmac, clientCertificate, queryKey, entra and sns"),
		"two proofs": edit("[env:A]", "[env:A], queryKey: [env:A]",
			"1: listen.sources[0]: must prove in one way that it is the source, and has 2: write one of bearer, basic, hmac, clientCertificate, queryKey, entra and sns"),
		"a tenant by another name": edit("bearer: [env:A]", "entra: {tenant: contoso.com, audience: a}",
			`1: listen.sources[0].entra.tenant: "contoso.com" is not the ID of a tenant: write its ID, as az account show --query tenantId has it`),
		"a path that leads nowhere": edit("format: azure", "format: generic, fields: {serial: data..serial}",
			`1: listen.sources[0].fields.serial: path "data..serial": a name is missing before ".serial": write names with dots between them, and [0] for an element of an array, such as data.certs[0].serial`),
		"a label that leads nowhere": edit("format: azure", "format: generic, fields: {labels: {team: 'a[x]'}}",
			`1: listen.sources[0].fields.labels.team: path "a[x]": write an element as [0]: write names with dots between them, and [0] for an element of an array, such as data.certs[0].serial`),
		"nothing that says which farm": edit("format: azure", "format: generic",
			"1: listen.sources[0]: format generic has neither fields nor farms: nothing would say which farm an event concerns: write fields: {thumbprint: PATH, ...}, which say where a document has what, or farms"),
		"four secrets": edit("[env:A]", "[env:A, env:B, env:C, env:D]",
			"1: listen.sources[0].bearer: has 4 secrets; at most 3 count at the same time: keep the old one and the new one"),
		"a secret in the file": edit("[env:A]", "[hunter2hunter2hunter2]",
			"1: listen.sources[0].bearer[0]: is not the name of a secret: keep the secret outside this file and name it: file:/path or env:NAME"),
		"neither certificate nor proxies": edit("certificate: a, key: env:K, ", "",
			"1: listen: lacks a certificate or its key: secrets would travel in clear text: write certificate and key, or proxies"),
		"a certificate behind a proxy": edit("key: env:K", "key: env:K, proxies: [10.0.0.5]",
			"1: listen: has both a certificate and proxies: behind a proxy, TLS ends there: write certificate and key, or proxies"),
		"a proxy that is everybody": edit("certificate: a, key: env:K", "proxies: [0.0.0.0/0]",
			`1: listen.proxies[0]: "0.0.0.0/0" is not IP addresses of a proxy: write its address, such as 10.0.0.5, or its network, such as 10.0.0.0/28`),
		"a client certificate behind a proxy": edit("certificate: a, key: env:K, sources: [{name: a, format: azure, bearer: [env:A]}]", "proxies: [10.0.0.5], sources: [{name: a, format: azure, clientCertificate: {ca: ca.pem, names: [b]}}]",
			"1: listen.sources[0].clientCertificate: no client certificate comes through a proxy: prove it in another way, or let the door have TLS itself"),
		"an address without a port": edit("':1'", "0.0.0.0",
			`1: listen.address: "0.0.0.0" is not an address to listen on: write ":8443", or HOST:PORT to listen on one address`),
		"a source twice": edit("sources: [", "sources: [{name: A, format: azure, bearer: [env:A]}, ",
			"1: listen.sources[1].name: source a is already on line 1: give each source its own name"),
		"a colon in the user": edit("bearer: [env:A]", "basic: {user: 'a:b', password: [env:A]}",
			"1: listen.sources[0].basic.user: a colon ends the name (RFC 7617): choose a name without a colon"),
		"a header that is none": edit("bearer: [env:A]", "hmac: {secrets: [env:A], header: 'a b'}",
			`1: listen.sources[0].hmac.header: "a b" is not the name of a header: write a name such as X-Farmtrust-Signature`),
		"a clock that may be wrong for a day": edit("bearer: [env:A]", "hmac: {secrets: [env:A], tolerance: 1d}",
			"1: listen.sources[0].hmac.tolerance: 24h is longer than a clock can be wrong: what was overheard could be sent again: write at most 1h"),
		"Event Grid's handshake for another sender": edit("azure, ", "cloudevents, eventGrid: {callValidationUrl: true}, ",
			"1: listen.sources[0].eventGrid: only Event Grid asks whether its events are welcome: leave it out, or write format: azure"),
		"fields for a format that has its own": edit("azure, ", "azure, fields: {id: a}, ",
			"1: listen.sources[0]: format azure has its own fields: leave fields out, or write format: generic"),
		"a certificate of nobody in particular": edit("bearer: [env:A]", "clientCertificate: {ca: ca.pem}",
			"1: listen.sources[0].clientCertificate.names: missing: list its names: without them, everybody who has a certificate of the CA could send"),
	})
}
