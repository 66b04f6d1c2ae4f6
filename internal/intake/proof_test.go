package intake_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/intake"
	"github.com/farmtrust/farmtrust/internal/mtls"
	"github.com/farmtrust/farmtrust/internal/secret"
)

// sign signs a body as a sender does that has a secret and a clock.
func sign(secret, at, body string) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(at + "." + body))
	return hex.EncodeToString(h.Sum(nil))
}

func TestProof_IsAskedForWhereHTTPHasAWordForIt(t *testing.T) {
	d := openDoor(t, []config.Sender{
		sender("bearer", config.Proof{Bearer: twoSecrets(t)}),
		sender("basic", config.Proof{Basic: &config.BasicProof{User: "alerts", Password: twoSecrets(t)}}),
		sender("query", config.Proof{QueryKey: twoSecrets(t)}),
	})
	for source, want := range map[string]string{
		"bearer": `Bearer realm="farmtrust"`, "basic": `Basic realm="farmtrust", charset="UTF-8"`, "query": "",
	} {
		if got := d.post(t, source, cloudEvent("1")); got.status != 401 || got.challenge != want {
			t.Errorf("%s: %d with the challenge %q, want %q", source, got.status, got.challenge, want)
		}
	}
	if got := d.post(t, "basic", "no", "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("alerts:"+newSecret))); got.status != 400 || got.challenge != "" {
		t.Errorf("a proof that counts: %d with the challenge %q", got.status, got.challenge)
	}
}

func TestProof_OfEachKind(t *testing.T) {
	d := openDoor(t, []config.Sender{
		sender("bearer", config.Proof{Bearer: twoSecrets(t)}),
		sender("basic", config.Proof{Basic: &config.BasicProof{User: "alerts", Password: twoSecrets(t)}}),
		sender("query", config.Proof{QueryKey: twoSecrets(t)}),
		sender("hmac", config.Proof{HMAC: &config.HMACProof{Secrets: twoSecrets(t), Header: "X-Signature", Tolerance: time.Minute}}),
	})
	basic := func(user, password string) []string {
		r := &http.Request{Header: http.Header{}}
		r.SetBasicAuth(user, password)
		return []string{"Authorization", r.Header.Get("Authorization")}
	}
	body := cloudEvent("1")
	now := strconv.FormatInt(time.Now().Unix(), 10)
	millis := strconv.FormatInt(time.Now().UnixMilli(), 10)
	long := strconv.FormatInt(time.Now().Add(-time.Hour).Unix(), 10)
	ahead := strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10)
	signed := func(text string) []string { return []string{"X-Signature", text} }
	query := func(s string) string { return "query?key=" + strings.ReplaceAll(s, " ", "%20") }
	for name, c := range map[string]struct {
		to      string
		headers []string
		status  int
		text    string
	}{
		"the old bearer token":      {"bearer", withToken(oldSecret), 202, ""},
		"the new bearer token":      {"bearer", withToken(newSecret), 202, ""},
		"the scheme in lower case":  {"bearer", []string{"Authorization", "bearer " + newSecret}, 202, ""},
		"another bearer token":      {"bearer", withToken(newSecret + "x"), 401, "the bearer token is wrong"},
		"half a bearer token":       {"bearer", withToken(newSecret[:16]), 401, "the bearer token is wrong"},
		"no bearer token":           {"bearer", nil, 401, "send the header Authorization: Bearer SECRET"},
		"an empty bearer token":     {"bearer", withToken(""), 401, "send the header Authorization: Bearer SECRET"},
		"a token of another scheme": {"bearer", basic("alerts", newSecret), 401, "send the header Authorization: Bearer SECRET"},
		"the old password":          {"basic", basic("alerts", oldSecret), 202, ""},
		"the new password":          {"basic", basic("alerts", newSecret), 202, ""},
		"another name":              {"basic", basic("alert", newSecret), 401, "the name or the password is wrong"},
		"another password":          {"basic", basic("alerts", "x"), 401, "the name or the password is wrong"},
		"no password":               {"basic", nil, 401, "send the header Authorization: Basic"},
		"the old key":               {query(oldSecret), nil, 202, ""},
		"the new key":               {query(newSecret), nil, 202, ""},
		"another key":               {query("x"), nil, 401, "the key is wrong"},
		"no key":                    {"query", nil, 401, "end the address with ?key=SECRET"},
		"signed by the old secret":  {"hmac", signed("t=" + now + ",v1=" + sign(oldSecret, now, body)), 202, ""},
		"signed by the new secret":  {"hmac", signed("t=" + now + ", v1=" + sign(newSecret, now, body)), 202, ""},
		"signed in milliseconds":    {"hmac", signed("t=" + millis + ",v1=" + sign(newSecret, millis, body)), 202, ""},
		"signed by two secrets":     {"hmac", signed("t=" + now + ",v1=" + sign("another", now, body) + ",v1=" + sign(newSecret, now, body)), 202, ""},
		"signed by another secret":  {"hmac", signed("t=" + now + ",v1=" + sign("another", now, body)), 401, "the signature is wrong"},
		"another body was signed":   {"hmac", signed("t=" + now + ",v1=" + sign(newSecret, now, body+" ")), 401, "the signature is wrong"},
		"another time was signed":   {"hmac", signed("t=" + now + ",v1=" + sign(newSecret, long, body)), 401, "the signature is wrong"},
		"signed an hour ago":        {"hmac", signed("t=" + long + ",v1=" + sign(newSecret, long, body)), 401, "correct the sender's clock"},
		"signed in an hour":         {"hmac", signed("t=" + ahead + ",v1=" + sign(newSecret, ahead, body)), 401, "correct the sender's clock"},
		"signed without a time":     {"hmac", signed("v1=" + sign(newSecret, "", body)), 401, "send the header X-Signature"},
		"not signed":                {"hmac", nil, 401, "send the header X-Signature"},
		"six signatures":            {"hmac", signed("t=" + now + strings.Repeat(",v1="+sign(newSecret, now, body), 6)), 401, "send the header X-Signature"},
	} {
		t.Run(name, func(t *testing.T) {
			d.post(t, c.to, body, c.headers...).require(t, c.status, c.text)
		})
	}
}

func TestProof_OfAClientCertificate(t *testing.T) {
	other, err := mtls.New(nil, "sender.contoso.com")
	if err != nil {
		t.Fatal(err)
	}
	ca := t.TempDir() + "/ca.pem"
	var known mtls.Set
	if known, err = mtls.New([]string{"server"}, "sender.contoso.com", "printer.contoso.com"); err != nil {
		t.Fatal(err)
	}
	writeFile(t, ca, known.Authority)
	d := openDoor(t, []config.Sender{sender("pki", config.Proof{ClientCertificate: &config.CertificateProof{CA: ca, Names: []string{"Sender.contoso.com"}}})})
	for name, c := range map[string]struct {
		own    []mtls.Pair
		status int
		text   string
	}{
		"of the sender":                    {[]mtls.Pair{known.Clients["sender.contoso.com"]}, 202, ""},
		"of another client of the CA":      {[]mtls.Pair{known.Clients["printer.contoso.com"]}, 401, "list its name under clientCertificate.names"},
		"of the same name from another CA": {[]mtls.Pair{other.Clients["sender.contoso.com"]}, 401, "unknown authority"},
		"none":                             {nil, 401, "connect with one"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := d.try(d.newClient(t, d.set, c.own...), http.MethodPost, "/events/pki", strings.NewReader(cloudEvent("1")))
			if err != nil {
				t.Fatal(err)
			}
			got.require(t, c.status, c.text)
		})
	}
}

// Who changes a secret writes the new one beside the old one, and the sender may have
// either. What cannot be read is no reason for the sender to give up.
func TestProof_WhileASecretIsChanged(t *testing.T) {
	clock := newClock()
	refs := twoSecrets(t)
	d := openDoor(t, []config.Sender{sender("pki", config.Proof{Bearer: refs})}, func(o *intake.Options) { o.Now = clock.now })
	old := refs[slices.IndexFunc(refs, func(r secret.Ref) bool { return strings.HasSuffix(string(r), "/old") })]
	path, _ := strings.CutPrefix(string(old), "file:")

	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	clock.pass(time.Minute)
	d.post(t, "pki", cloudEvent("1"), withToken(newSecret)...).require(t, 202, "")
	d.post(t, "pki", cloudEvent("1"), withToken(oldSecret)...).require(t, 503, "cannot be checked now")

	writeFile(t, path, []byte("the newest secret of the source"))
	clock.pass(time.Minute)
	d.post(t, "pki", cloudEvent("1"), withToken("the newest secret of the source")...).require(t, 202, "")
	d.post(t, "pki", cloudEvent("1"), withToken(oldSecret)...).require(t, 401, "wrong")

	writeFile(t, path, []byte("short"))
	clock.pass(time.Minute)
	d.post(t, "pki", cloudEvent("1"), withToken("short")...).require(t, 503, "cannot be checked now")
}

// Who is not the source uses nothing of its rate, also where only the body shows it.
func TestProof_OfSomebodyElseCostsTheSourceNothing(t *testing.T) {
	clock := newClock()
	signing := sender("signing", config.Proof{HMAC: &config.HMACProof{Secrets: twoSecrets(t), Header: "X-Signature", Tolerance: time.Minute}})
	token := sender("token", config.Proof{Bearer: twoSecrets(t)})
	signing.Rate, token.Rate = 1, 1
	d := openDoor(t, []config.Sender{signing, token}, func(o *intake.Options) { o.Now = clock.now })
	body, at := cloudEvent("1"), strconv.FormatInt(clock.now().Unix(), 10)
	by := func(secret string) []string {
		return []string{"X-Signature", "t=" + at + ",v1=" + sign(secret, at, body)}
	}
	for range 5 {
		d.post(t, "signing", body, by("the secret of somebody else")...).require(t, 401, "")
		d.post(t, "token", body, withToken("the secret of somebody else")...).require(t, 401, "")
	}
	d.post(t, "signing", body, by(newSecret)...).require(t, 202, "")
	d.post(t, "token", body, withToken(newSecret)...).require(t, 202, "")
	got := d.post(t, "signing", body, by(newSecret)...)
	if got.require(t, 503, "more events than the source's rate"); got.retryAfter != "1" {
		t.Errorf("it is to send again after %s", got.retryAfter)
	}
	clock.pass(time.Second)
	d.post(t, "signing", body, by(newSecret)...).require(t, 202, "")
}

func FuzzParseSignature(f *testing.F) {
	for _, seed := range []string{"", "t=1,v1=" + sign("a", "1", ""), "t=9223372036854775807,v1=00", "t=1,t=2", "v1=,t=", fmt.Sprintf("t=%d", time.Now().UnixMilli())} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		text, at, n, ok := intake.ParseSignature(header)
		switch {
		case !ok:
		case n < 1 || n > 5:
			t.Errorf("%q has %d signatures", header, n)
		case !strings.Contains(header, "t="+text):
			t.Errorf("%q was signed with the time %q, which it does not have", header, text)
		case at.Unix() < 0 || at.Unix() > 100_000_000_000:
			if _, err := strconv.ParseInt(text, 10, 64); err != nil || len(text) < 15 {
				t.Errorf("%q means the time %s", header, at)
			}
		}
	})
}
