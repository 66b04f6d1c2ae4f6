package intake_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/intake"
	"github.com/farmtrust/farmtrust/internal/mtls"
)

func TestDoor_FollowsItsCertificate(t *testing.T) {
	clock := newClock()
	var log bytes.Buffer
	d := openDoor(t, []config.Sender{bearer(t, "pki", "contoso")}, func(o *intake.Options) { o.Now, o.Log = clock.now, logTo(&log) })
	send := func(c *http.Client) error {
		c.CloseIdleConnections()
		clock.pass(time.Minute)
		got, err := d.try(c, http.MethodPost, "/events/pki", strings.NewReader(cloudEvent("1")), withToken(newSecret)...)
		if err == nil {
			got.require(t, 202, "contoso")
		}
		return err
	}
	renewed, err := mtls.New([]string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}

	writeFile(t, d.path("door.pem"), renewed.Server.Certificate) // and the key not yet
	if err := send(d.client); err != nil {
		t.Errorf("while its files are written: %v", err)
	}
	d.writePair(t, renewed.Server)
	if err := send(d.newClient(t, renewed)); err != nil {
		t.Errorf("with the new certificate: %v", err)
	}
	if err := send(d.client); err == nil {
		t.Error("the old certificate is still served")
	}
	for _, want := range []string{"the one before stays in use", "the door's certificate was replaced"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log.String())
		}
	}
}

// A product that renews others' certificates says when its own needs that.
func TestDoor_WarnsEachDayOfItsCertificatesEnd(t *testing.T) {
	clock := newClock()
	var log bytes.Buffer
	d := openDoor(t, []config.Sender{bearer(t, "pki", "contoso")}, func(o *intake.Options) { o.Now, o.Log = clock.now, logTo(&log) })
	var warned []int
	for _, later := range []time.Duration{mtls.Validity - 31*24*time.Hour, 2 * 24 * time.Hour, time.Hour, 23 * time.Hour} {
		clock.pass(later)
		d.client.CloseIdleConnections()
		if _, err := d.try(d.client, http.MethodGet, "/healthz", nil); err != nil {
			t.Fatal(err)
		}
		warned = append(warned, strings.Count(log.String(), "the door's certificate expires"))
	}
	if want := []int{0, 1, 1, 2}; !slices.Equal(warned, want) {
		t.Errorf("after each connection it had warned %v times, want %v:\n%s", warned, want, log.String())
	}
}

func TestDoor_SpeaksOnlyTLSOfToday(t *testing.T) {
	d := openDoor(t, []config.Sender{bearer(t, "pki")})
	old := d.newClient(t, d.set)
	old.Transport.(*http.Transport).TLSClientConfig.MaxVersion = tls.VersionTLS11
	if _, err := d.try(old, http.MethodGet, "/healthz", nil); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	plain := strings.Replace(d.url, "https:", "http:", 1)
	response, err := http.Get(plain + "/healthz") //nolint:noctx // the test ends with it
	if err == nil {
		defer response.Body.Close()
		if response.StatusCode == http.StatusOK {
			t.Error("it is answered in clear text")
		}
	}
}

// behindProxies opens a door without TLS that these may reach.
func behindProxies(t *testing.T, proxies ...string) *door {
	t.Helper()
	return openDoor(t, []config.Sender{bearer(t, "pki", "contoso")}, func(o *intake.Options) {
		o.Listen.Certificate, o.Listen.Key = "", ""
		for _, p := range proxies {
			o.Listen.Proxies = append(o.Listen.Proxies, netip.MustParsePrefix(p))
		}
	})
}

func TestDoor_BehindAProxy(t *testing.T) {
	d := behindProxies(t, "10.0.0.5/32", "127.0.0.1/32")
	d.post(t, "pki", cloudEvent("1"), withToken(newSecret)...).require(t, 202, "contoso")

	// A header does not make a proxy of anybody.
	d = behindProxies(t, "10.0.0.5/32")
	if got, err := d.try(d.client, http.MethodPost, "/events/pki", strings.NewReader(cloudEvent("1")), append(withToken(newSecret), "X-Forwarded-For", "10.0.0.5")...); err == nil {
		t.Errorf("who is no proxy is answered %d", got.status)
	}
}

// Who keeps connections open gets a bounded number of them, but none of a source that has
// proven itself, and its places are given to others once it has left.
func TestDoor_ConnectionsAreBounded(t *testing.T) {
	d := openDoor(t, []config.Sender{bearer(t, "pki", "contoso")})
	d.post(t, "pki", cloudEvent("0"), withToken(newSecret)...).require(t, 202, "contoso") // and keeps its connection
	const tried, places = 200, 127
	closed := make(chan struct{}, tried)
	var all []net.Conn
	for range tried {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", d.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		all = append(all, c)
		go func() {
			_, _ = c.Read(make([]byte, 1)) // the door says nothing to who says nothing
			closed <- struct{}{}
		}()
	}
	for range tried - places {
		<-closed
	}
	select {
	case <-closed:
		t.Errorf("more than %d of %d connections were closed", tried-places, tried)
	case <-time.After(100 * time.Millisecond):
	}
	for _, c := range all {
		c.Close()
	}
	for began := time.Now(); ; {
		got, err := d.try(d.client, http.MethodPost, "/events/pki", strings.NewReader(cloudEvent("1")), withToken(newSecret)...)
		if err == nil {
			got.require(t, 202, "contoso")
			return
		}
		if time.Since(began) > 10*time.Second {
			t.Fatalf("nobody gets a place: %v", err)
		}
	}
}

func TestDoor_GivesWhatIsBeingAnsweredSomeTime(t *testing.T) {
	d := openDoor(t, []config.Sender{bearer(t, "pki", "contoso")})
	d.store.set(nil, 300*time.Millisecond)
	answered := make(chan reply, 1)
	go func() {
		got, err := d.try(d.client, http.MethodPost, "/events/pki", strings.NewReader(cloudEvent("1")), withToken(newSecret)...)
		if err != nil {
			t.Error(err)
		}
		answered <- got
	}()
	<-d.store.came
	d.stop()
	(<-answered).require(t, 202, "contoso")
}

func TestOpen_SaysWhatCannotBeOpened(t *testing.T) {
	set, err := mtls.New([]string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	taken := openDoor(t, nil)
	for name, c := range map[string]struct {
		edit func(*intake.Options)
		want string
	}{
		"no certificate":       {func(o *intake.Options) { o.Listen.Certificate = "/no/such/file" }, "listen.certificate: open /no/such/file"},
		"a key of another":     {func(o *intake.Options) { writeFile(t, o.Listen.Certificate, set.Server.Certificate) }, "private key does not match public key"},
		"a port that is taken": {func(o *intake.Options) { o.Listen.Address = taken.Addr().String() }, ": name an address of this machine that is free"},
		"no CA": {func(o *intake.Options) {
			o.Listen.Sources = []config.Sender{sender("pki", config.Proof{ClientCertificate: &config.CertificateProof{CA: o.Listen.Certificate + ".no"}})}
		}, "listen.sources[pki]: clientCertificate.ca: open"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoor(t)
			o := d.options(nil)
			c.edit(&o)
			if opened, err := intake.Open(context.Background(), o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, %v; want an error that says %q", opened, err, c.want)
			}
		})
	}
}

// What a source leaves open, such as each of many servers that send once a day, keeps
// nobody out.
func TestDoor_WhoRestsGivesWay(t *testing.T) {
	d := openDoor(t, []config.Sender{bearer(t, "pki", "contoso")})
	const places = 128
	for i := range places + 2 {
		got, err := d.try(d.newClient(t, d.set), http.MethodPost, "/events/pki", strings.NewReader(cloudEvent(fmt.Sprint(i))), withToken(newSecret)...)
		if err != nil {
			t.Fatalf("after %d connections that were left open: %v", i, err)
		}
		got.require(t, 202, "contoso")
	}
}

// A network of IPv6 has more addresses than the door has places.
func TestDoor_ANetworkOfIPv6CountsAsOne(t *testing.T) {
	const places = 128
	var all []*guest
	for i := range places + 2 {
		all = append(all, newGuest(fmt.Sprintf("[2001:db8:0:1::%x]:1", i+1)))
	}
	other := newGuest("[2001:db8:0:2::1]:1")
	door := intake.NewDoorman(guests(append([]*guest{other}, all...)))
	for range places + 3 {
		if _, err := door.Accept(); err != nil {
			t.Fatal(err)
		}
	}
	if !all[0].closed || !all[1].closed || all[2].closed || other.closed {
		t.Errorf("closed: the first %v, the second %v, the third %v, one of another network %v", all[0].closed, all[1].closed, all[2].closed, other.closed)
	}
}

// guest is a connection from an address.
type guest struct {
	net.Conn
	from   net.Addr
	closed bool
}

func newGuest(from string) *guest {
	return &guest{from: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(from))}
}

func (g *guest) RemoteAddr() net.Addr { return g.from }

func (g *guest) Close() error {
	g.closed = true
	return nil
}

// guests is a listener to which they come one after the other.
func guests(all []*guest) net.Listener { return &queue{waiting: all} }

type queue struct {
	net.Listener
	waiting []*guest
}

func (q *queue) Accept() (net.Conn, error) {
	next := q.waiting[0]
	q.waiting = q.waiting[1:]
	return next, nil
}
