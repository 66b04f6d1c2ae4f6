package intake_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/event"
)

// signAsInfisical signs a body as Infisical documents it, by OpenSSL.
func signAsInfisical(t *testing.T, secret, body string) []string {
	t.Helper()
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no OpenSSL")
	}
	at := fmt.Sprint(time.Now().UnixMilli())
	command := exec.CommandContext(t.Context(), openssl, "dgst", "-sha256", "-hmac", secret, "-r")
	command.Stdin = strings.NewReader(at + "." + body)
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	mac, _, _ := strings.Cut(string(out), " ")
	return []string{"x-infisical-signature", "t=" + at + ",v1=" + mac, "Content-Type", "application/json"}
}

// infisical is a source that Infisical signs.
func infisical(t *testing.T) config.Sender {
	t.Helper()
	s := sender("infisical", config.Proof{HMAC: &config.HMACProof{Secrets: twoSecrets(t), Header: "X-Infisical-Signature", Tolerance: 5 * time.Minute}})
	s.Format, s.Farms = event.Infisical, []string{"contoso"}
	return s
}

func TestInfisical_IsTakenAsItSigns(t *testing.T) {
	d := openDoor(t, []config.Sender{infisical(t)})
	for _, file := range []string{"infisical.pki.certificate.expiration.doc.json", "infisical.application.expiry.doc.json"} {
		t.Run(file, func(t *testing.T) {
			sample, err := os.ReadFile("../event/testdata/" + file)
			if err != nil {
				t.Fatal(err)
			}
			body := string(sample)
			d.post(t, "infisical", body, signAsInfisical(t, newSecret, body)...).require(t, 202, `"farms":["contoso"]`)
			d.post(t, "infisical", body+" ", signAsInfisical(t, newSecret, body)...).require(t, 401, "the signature is wrong")
		})
	}
}

func TestInfisical_HearsAnAnswerBeforeItGivesUp(t *testing.T) {
	d := openDoor(t, []config.Sender{infisical(t)})
	sample, err := os.ReadFile("../event/testdata/infisical.application.expiry.doc.json")
	if err != nil {
		t.Fatal(err)
	}
	body := string(sample)
	d.store.set(nil, time.Minute)
	d.client.Timeout = 2 * time.Second // older versions wait no longer
	if got := d.post(t, "infisical", body, signAsInfisical(t, newSecret, body)...); got.status != 503 || got.retryAfter == "" {
		t.Errorf("got %+v", got)
	}
}
