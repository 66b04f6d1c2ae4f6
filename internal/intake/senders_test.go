package intake_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/mtls"
	"github.com/farmtrust/farmtrust/internal/secret"
)

// The tests of this file send with programs and a library that nobody here wrote, set up
// as docs/events.md says.

// findSender returns the path of a program; without it the test is skipped.
func findSender(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no %s", name)
	}
	return path
}

// startSender starts a program that the test's end kills, and returns what it logs.
func startSender(t *testing.T, command *exec.Cmd) *output {
	t.Helper()
	log := &output{}
	command.Stderr = log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Wait() // it was killed
		if t.Failed() {
			t.Log(log)
		}
	})
	return log
}

// blockOf returns the block of docs/events.md that has this line, with what a reader puts
// in place of the names there.
func blockOf(t *testing.T, line string, insert ...string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(page), "```")
	i := slices.IndexFunc(blocks, func(block string) bool { return strings.Contains(block, line) })
	if i < 0 {
		t.Fatalf("docs/events.md has no block with %q", line)
	}
	_, block, _ := strings.Cut(blocks[i], "\n")
	for pair := range slices.Chunk(insert, 2) {
		if !strings.Contains(block, pair[0]) {
			t.Fatalf("the block has no %q:\n%s", pair[0], block)
		}
		block = strings.ReplaceAll(block, pair[0], pair[1])
	}
	return block
}

// await waits until something holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		case <-ticker.C:
		}
	}
}

// authorityFile is the file of the authority that the door's certificate is from.
func (d *door) authorityFile(t *testing.T) string {
	t.Helper()
	path := d.path("authority.pem")
	writeFile(t, path, d.set.Authority)
	return path
}

// alertmanager is a running Alertmanager.
type alertmanager struct {
	url string
}

// startAlertmanager runs Alertmanager until the test ends.
func startAlertmanager(t *testing.T, configuration string) alertmanager {
	t.Helper()
	folder := t.TempDir()
	file := filepath.Join(folder, "alertmanager.yml")
	writeFile(t, file, []byte(configuration))
	command := exec.CommandContext(t.Context(), findSender(t, "prometheus-alertmanager"), "--config.file="+file, "--storage.path="+folder,
		"--cluster.listen-address=", "--web.listen-address=127.0.0.1:0", "--log.level=debug")
	log := startSender(t, command)
	listens := regexp.MustCompile(`"Listening on" address=(\S+)`)
	var a alertmanager
	await(t, "Alertmanager listens", func() bool {
		found := listens.FindStringSubmatch(log.String())
		if found != nil {
			a.url = "http://" + found[1]
		}
		return found != nil
	})
	return a
}

// output is what a program writes while it runs.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// fire has an alert about a certificate, as a rule of Prometheus has.
func (a alertmanager) fire(t *testing.T, serial string) {
	t.Helper()
	alert := fmt.Sprintf(`[{"labels":{"alertname":"CertificateRenewal","serial_number":%q,"subject_CN":"oos-s2s.contoso.com"},"startsAt":%q}]`,
		serial, time.Now().Format(time.RFC3339Nano))
	response, err := directly.Post(a.url+"/api/v2/alerts", "application/json", strings.NewReader(alert))
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("Alertmanager answers %s, %v", response.Status, err)
	}
}

// counts reports whether a metric of Alertmanager's webhooks is above zero.
func (a alertmanager) counts(t *testing.T, metric string) bool {
	t.Helper()
	response, err := directly.Get(a.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(metric + `\{[^}]*integration="webhook"[^}]*\} [1-9]`).Match(text)
}

// directly is a client that asks no proxy.
var directly = &http.Client{Transport: &http.Transport{}}

// alerts is the source of Alertmanager as docs/events.md configures it.
func alerts(t *testing.T) config.Sender {
	t.Helper()
	s := sender("alerts", config.Proof{Basic: &config.BasicProof{User: "alertmanager", Password: twoSecrets(t)}})
	s.Format, s.Farms = event.Alertmanager, []string{"contoso"}
	return s
}

// webhook is the page's configuration of Alertmanager for a door, without its delays.
func (d *door) webhook(t *testing.T, password string) string {
	t.Helper()
	file := d.path("password")
	writeFile(t, file, []byte(password))
	return blockOf(t, "# alertmanager.yml",
		"https://door.contoso.com:8443", d.url, "/etc/alertmanager/farmtrust", file, "/etc/alertmanager/contoso-ca.pem", d.authorityFile(t),
		"route:\n", "route:\n  group_wait: 10ms\n  group_interval: 200ms\n")
}

func TestSender_AlertmanagerSendsAgainWhatIsNotStored(t *testing.T) {
	t.Parallel()
	d := openDoor(t, []config.Sender{alerts(t)})
	d.store.set(errors.New("Temporal is away"), 0)
	a := startAlertmanager(t, d.webhook(t, newSecret))
	a.fire(t, "291389234298374928374982374")
	await(t, "Alertmanager was answered 503", func() bool { return a.counts(t, "alertmanager_notification_requests_failed_total") })
	if kept := d.store.of("alerts"); len(kept) > 0 {
		t.Fatalf("stored while nothing can be: %s", kept)
	}
	d.store.set(nil, 0)
	await(t, "the alert has come", func() bool { return len(d.store.of("alerts")) == 1 })
	// A second certificate of the group brings the first one again, as the same event.
	a.fire(t, "17")
	await(t, "the second alert has come", func() bool { return len(distinct(d.store.of("alerts"))) == 2 })
}

func distinct(ids []string) []string {
	slices.Sort(ids)
	return slices.Compact(ids)
}

func TestSender_AlertmanagerGivesUpWhereItsPasswordIsWrong(t *testing.T) {
	t.Parallel()
	d := openDoor(t, []config.Sender{alerts(t)})
	a := startAlertmanager(t, d.webhook(t, "a guess"))
	a.fire(t, "17")
	await(t, "Alertmanager was answered 401", func() bool { return a.counts(t, "alertmanager_notifications_failed_total") })
	if kept := d.store.of("alerts"); len(kept) > 0 {
		t.Errorf("stored %s", kept)
	}
}

// TestSender_Curl runs the commands of the page.
func TestSender_Curl(t *testing.T) {
	t.Parallel()
	findSender(t, "curl")
	findSender(t, "python3")
	signed := config.Proof{HMAC: &config.HMACProof{Secrets: twoSecrets(t), Header: "X-Signature", Tolerance: time.Minute}}
	d := openDoor(t, []config.Sender{bearer(t, "pki", "contoso"), sender("signed", signed)})
	folder := t.TempDir()
	for name, content := range map[string]string{"token": newSecret, "secret": oldSecret, "event.json": cloudEvent("1")} {
		writeFile(t, filepath.Join(folder, name), []byte(content))
	}
	for _, c := range []struct{ line, source string }{{"--header @", "pki"}, {"hmac.new", "signed"}} {
		script := blockOf(t, c.line, "https://door.contoso.com:8443", d.url, "contoso-ca.pem", d.authorityFile(t))
		command := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
		command.Dir, command.Env = folder, append(os.Environ(), "NO_PROXY=127.0.0.1")
		if answer, err := command.CombinedOutput(); err != nil || !strings.Contains(string(answer), "202") || len(d.store.of(c.source)) != 1 {
			t.Errorf("%s: %v, %s\nstored %s", script, err, answer, d.store.of(c.source))
		}
	}
	if header, err := os.Stat(filepath.Join(folder, "header")); err != nil {
		t.Error(err)
	} else if header.Mode().Perm()&0o077 != 0 {
		t.Errorf("others can read the header: %s", header.Mode())
	}
}

// TestSender_OpensTheDoor runs what the page has before any sender is set up.
func TestSender_OpensTheDoor(t *testing.T) {
	t.Parallel()
	findSender(t, "curl")
	findSender(t, "openssl")
	file := filepath.Join(t.TempDir(), "vault")
	d := openDoor(t, []config.Sender{bearer(t, "pki")})
	made := blockOf(t, "openssl rand", "/etc/farmtrust/secrets/vault", file)
	asked := blockOf(t, "/healthz", "https://door.contoso.com:8443", d.url, "contoso-ca.pem", d.authorityFile(t))
	command := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", made+asked)
	command.Env = append(os.Environ(), "NO_PROXY=127.0.0.1")
	if answer, err := command.Output(); err != nil || string(answer) != "200\n" {
		t.Errorf("%v, %s", err, answer)
	}
	if _, err := secret.Ref("file:" + file).ResolveProof(); err != nil {
		t.Error(err)
	}
}

// TestSender_CloudEventsSDK sends with the SDK of those who define CloudEvents.
func TestSender_CloudEventsSDK(t *testing.T) {
	t.Parallel()
	proof := config.Proof{ClientCertificate: &config.CertificateProof{CA: filepath.Join(t.TempDir(), "ca.pem"), Names: []string{"sender.contoso.com"}}}
	set, err := mtls.New([]string{"127.0.0.1"}, "sender.contoso.com")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, proof.ClientCertificate.CA, set.Authority)
	d := openDoor(t, []config.Sender{bearer(t, "pki", "contoso"), sender("partner", proof)})
	for _, c := range []struct {
		source string
		client *http.Client
		header string
	}{
		{"pki", d.client, "Bearer " + newSecret},
		{"partner", d.newClient(t, d.set, set.Clients["sender.contoso.com"]), ""},
	} {
		client, err := cloudevents.NewClientHTTP(cehttp.WithTarget(d.url+"/events/"+c.source), cehttp.WithClient(*c.client), cehttp.WithHeader("Authorization", c.header))
		if err != nil {
			t.Fatal(err)
		}
		for _, mode := range []func(context.Context) context.Context{cloudevents.WithEncodingBinary, cloudevents.WithEncodingStructured} {
			if err := client.Send(mode(t.Context()), expiry(t)); !cloudevents.IsACK(err) {
				t.Errorf("%s: %v", c.source, err)
			}
		}
		if kept := d.store.of(c.source); len(kept) != 2 || len(distinct(kept)) != 1 {
			t.Errorf("%s: stored %s, want one event twice", c.source, kept)
		}
	}
}

// expiry is an event of the types that the page lists.
func expiry(t *testing.T) cloudevents.Event {
	t.Helper()
	e := cloudevents.NewEvent()
	e.SetID("1")
	e.SetSource("/contoso/pki")
	e.SetType("com.contoso.certificate.near-expiry.v1")
	e.SetSubject("oos-s2s")
	if err := e.SetData(cloudevents.ApplicationJSON, map[string]string{"thumbprintSha1": "0123456789ABCDEF0123456789ABCDEF01234567"}); err != nil {
		t.Fatal(err)
	}
	return e
}
