package intake_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/intake"
)

const (
	topicARN    = "arn:aws:sns:eu-central-1:123456789012:expiry"
	snsHost     = "sns.eu-central-1.amazonaws.com"
	signerPage  = "https://" + snsHost + "/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
	confirmPage = "https://" + snsHost + "/?Action=ConfirmSubscription&TopicArn=" + topicARN + "&Token=2336412f37"
)

// signer is a key with its certificate, both made by OpenSSL, which signs as SNS does.
type signer struct{ key, certificate string }

func newSigner(t *testing.T) signer {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("OpenSSL is not here")
	}
	s := signer{key: filepath.Join(t.TempDir(), "key.pem"), certificate: filepath.Join(t.TempDir(), "certificate.pem")}
	cmd := exec.Command("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=sns.amazonaws.com", "-keyout", s.key, "-out", s.certificate)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return s
}

func (s signer) page(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(s.certificate)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// sign signs the members that AWS lists, in its order, and returns the message.
func (s signer) sign(t *testing.T, m map[string]string, hash string, names ...string) string {
	t.Helper()
	var text bytes.Buffer
	for _, name := range names {
		fmt.Fprintf(&text, "%s\n%s\n", name, m[name])
	}
	cmd := exec.Command("openssl", "dgst", "-"+hash, "-sign", s.key)
	cmd.Stdin = &text
	signature, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	m["Signature"] = base64.StdEncoding.EncodeToString(signature)
	body, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// members are those of a message of SNS about Certificate Manager, changed.
func members(t *testing.T, changes map[string]string) map[string]string {
	t.Helper()
	sample, err := os.ReadFile("../event/testdata/acm.CertificateAvailable.DERIVED.json")
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{
		"Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "TopicArn": topicARN, "Message": string(sample),
		"Timestamp": time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), "SignatureVersion": "2", "SigningCertURL": signerPage,
		"UnsubscribeURL": "https://" + snsHost + "/?Action=Unsubscribe",
	}
	maps.Copy(m, changes)
	return m
}

func (s signer) notify(t *testing.T, changes map[string]string) string {
	t.Helper()
	m := members(t, changes)
	names := []string{"Message", "MessageId", "Timestamp", "TopicArn", "Type"}
	if _, has := m["Subject"]; has {
		names = []string{"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"}
	}
	hash := "sha256"
	if m["SignatureVersion"] == "1" {
		hash = "sha1"
	}
	return s.sign(t, m, hash, names...)
}

func (s signer) askToConfirm(t *testing.T, changes map[string]string) string {
	t.Helper()
	m := members(t, map[string]string{
		"Type": "SubscriptionConfirmation", "Message": "You have chosen to subscribe to the topic.", "Token": "2336412f37", "SubscribeURL": confirmPage,
	})
	maps.Copy(m, changes)
	return s.sign(t, m, "sha256", "Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
}

func topic(confirm bool) config.Sender {
	s := sender("acm", config.Proof{SNS: &config.SNSProof{Topics: []string{topicARN}, Confirm: confirm}})
	s.Format, s.Farms = event.AWS, []string{"contoso"}
	return s
}

var ofSNS = []string{"Content-Type", "text/plain; charset=UTF-8", "X-Amz-Sns-Message-Type", "Notification"}

func TestProof_OfSNS(t *testing.T) {
	s, stranger := newSigner(t), newSigner(t)
	w := newWorld(t, snsHost)
	w.set(signerPage, s.page(t))
	clock := newClock()
	d := openDoor(t, []config.Sender{topic(false)}, w.outside, func(o *intake.Options) { o.Now = clock.now })
	for claim, body := range map[string]string{
		"version 2":      s.notify(t, nil),
		"version 1":      s.notify(t, map[string]string{"SignatureVersion": "1"}),
		"with a subject": s.notify(t, map[string]string{"Subject": "A certificate"}),
	} {
		t.Run(claim, func(t *testing.T) { d.post(t, "acm", body, ofSNS...).require(t, 202, "contoso") })
	}
	if asked := w.all(); len(asked) != 1 {
		t.Errorf("the certificate that signs was asked for %d times", len(asked))
	}
	good := s.notify(t, nil)
	old := time.Now().Add(-3 * time.Hour).UTC().Format(time.RFC3339)
	for claim, c := range map[string]struct{ body, want string }{
		"a stranger's signature":                   {stranger.notify(t, nil), "the signature is wrong"},
		"another message":                          {strings.Replace(good, "REIMPORT", "RENEWAL", 1), "the signature is wrong"},
		"a subject that was added":                 {strings.Replace(good, `"Type"`, `"Subject":"x","Type"`, 1), "the signature is wrong"},
		"a signature that is none":                 {strings.Replace(good, `"Signature":"`, `"Signature":"!`, 1), "the signature is not base64"},
		"no signature":                             {strings.Replace(good, `"Signature":`, `"S":`, 1), "the signature is wrong"},
		"an unknown version":                       {strings.Replace(good, `"SignatureVersion":"2"`, `"SignatureVersion":"3"`, 1), `version \"3\" of the signature is not known`},
		"a signed one beside the one that is read": {strings.Replace(strings.Replace(good, "REIMPORT", "RENEWAL", 1), `"Type"`, `"message":`+quoted(members(t, nil)["Message"])+`,"Type"`, 1), "the signature is wrong"},
		"another topic":                            {s.notify(t, map[string]string{"TopicArn": topicARN + "x"}), "is not one of sns.topics"},
		"an old one":                               {s.notify(t, map[string]string{"Timestamp": old}), `the message is of \"` + old + `\", and it is `},
		"one of tomorrow":                          {s.notify(t, map[string]string{"Timestamp": time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339)}), "is the clock of farmtrust's machine right?"},
		"a certificate from elsewhere":             {s.notify(t, map[string]string{"SigningCertURL": "https://evil.contoso.com/SimpleNotificationService-1.pem"}), "the certificate that signs is not at https://" + snsHost},
		"a certificate of another region":          {s.notify(t, map[string]string{"SigningCertURL": strings.Replace(signerPage, "central", "north", 1)}), "the certificate that signs is not at"},
		"a certificate from what only looks so":    {s.notify(t, map[string]string{"SigningCertURL": "https://" + snsHost + ".contoso.com/SimpleNotificationService-1.pem"}), "the certificate that signs is not at"},
		"a certificate from a bucket":              {s.notify(t, map[string]string{"SigningCertURL": "https://s3.amazonaws.com/SimpleNotificationService-1.pem"}), "the certificate that signs is not at"},
		"a certificate without TLS":                {s.notify(t, map[string]string{"SigningCertURL": strings.Replace(signerPage, "https", "http", 1)}), "the certificate that signs is not at"},
		"no JSON":                                  {"x", "the body is no message of SNS"},
	} {
		t.Run(claim, func(t *testing.T) { d.post(t, "acm", c.body, ofSNS...).require(t, 401, c.want) })
	}
	t.Run("raw", func(t *testing.T) {
		d.post(t, "acm", members(t, nil)["Message"], "X-Amz-Sns-Rawdelivery", "true").require(t, 401, "switch raw message delivery off")
	})
	t.Run("a certificate that cannot be had is no refusal", func(t *testing.T) {
		got := d.post(t, "acm", s.notify(t, map[string]string{"SigningCertURL": "https://" + snsHost + "/SimpleNotificationService-none.pem"}), ofSNS...)
		got.require(t, 503, "cannot be checked now")
	})
	t.Run("a certificate that has expired", func(t *testing.T) {
		clock.pass(60 * 24 * time.Hour) // OpenSSL's end after 30 days
		body := s.notify(t, map[string]string{"Timestamp": clock.now().UTC().Format(time.RFC3339)})
		d.post(t, "acm", body, ofSNS...).require(t, 401, "the certificate that signs is not valid now")
	})
	if kept := d.store.of("acm"); len(kept) != 3 {
		t.Errorf("stored %s", kept)
	}
	for _, asked := range w.all() {
		if !strings.HasPrefix(asked, "https://"+snsHost+"/SimpleNotificationService-") {
			t.Errorf("called %s", asked)
		}
	}
}

func quoted(text string) string {
	q, _ := json.Marshal(text)
	return string(q)
}

func TestSNS_ASubscriptionIsConfirmedWhereItIsAskedFor(t *testing.T) {
	s := newSigner(t)
	ask := []string{"Content-Type", "text/plain; charset=UTF-8", "X-Amz-Sns-Message-Type", "SubscriptionConfirmation"}
	open := func(t *testing.T, confirm bool) (*door, *world, *clock) {
		t.Helper()
		w, clock := newWorld(t, snsHost, "evil.contoso.com"), newClock()
		w.set(signerPage, s.page(t))
		d := openDoor(t, []config.Sender{topic(confirm)}, w.outside, func(o *intake.Options) { o.Now = clock.now })
		return d, w, clock
	}
	t.Run("confirmed", func(t *testing.T) {
		d, w, clock := open(t, true)
		d.post(t, "acm", s.askToConfirm(t, nil), ask...).require(t, 503, "the subscription could not be confirmed")
		clock.pass(time.Minute)
		w.set(confirmPage, "<ConfirmSubscriptionResponse/>")
		if got := d.post(t, "acm", s.askToConfirm(t, nil), ask...); got.status != 200 {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("not asked for", func(t *testing.T) {
		d, w, _ := open(t, false)
		d.post(t, "acm", s.askToConfirm(t, nil), ask...).require(t, 401, "write sns: {confirm: true} for this source")
		if asked := w.all(); len(asked) != 1 {
			t.Errorf("called %s", asked)
		}
	})
	for claim, address := range map[string]string{
		"elsewhere": strings.Replace(confirmPage, snsHost, "evil.contoso.com", 1), "another topic": strings.Replace(confirmPage, topicARN, topicARN+"x", 1),
		"no TLS": strings.Replace(confirmPage, "https", "http", 1), "nowhere": "%",
	} {
		t.Run(claim, func(t *testing.T) {
			d, w, _ := open(t, true)
			d.post(t, "acm", s.askToConfirm(t, map[string]string{"SubscribeURL": address}), ask...).require(t, 401, "the SubscribeURL is not one of SNS for this topic")
			if asked := w.all(); len(asked) != 1 {
				t.Errorf("called %s", asked)
			}
		})
	}
	t.Run("the address must be signed", func(t *testing.T) {
		d, w, _ := open(t, true)
		d.post(t, "acm", strings.Replace(s.askToConfirm(t, nil), "2336412f37", "other", 2), ask...).require(t, 401, "the signature is wrong")
		if asked := w.all(); len(asked) != 1 {
			t.Errorf("called %s", asked)
		}
	})
	t.Run("the end of one is noted", func(t *testing.T) {
		d, w, _ := open(t, true)
		if got := d.post(t, "acm", s.askToConfirm(t, map[string]string{"Type": "UnsubscribeConfirmation"}), ask...); got.status != 200 {
			t.Errorf("got %+v", got)
		}
		if asked := w.all(); len(asked) != 1 {
			t.Errorf("called %s", asked)
		}
	})
}
