package intake_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/config"
)

// Where thousands of connections come that are left idle or say one byte a second, and
// others send all that they can with and without a secret, one that sends now and then is
// let in and answered all the same.
func TestDoor_AFloodKeepsNoSourceOut(t *testing.T) {
	flooding := bearer(t, "flooding")
	d := openDoor(t, []config.Sender{flooding, bearer(t, "quiet", "contoso")})
	ctx, stop := context.WithCancel(t.Context())
	var flood sync.WaitGroup
	defer func() { stop(); flood.Wait() }()
	var opened, sent atomic.Int64
	for host := range 12 { // together more than all places
		from := fmt.Sprintf("127.0.1.%d", host+1)
		for i := range 100 {
			flood.Go(func() { linger(ctx, d.Addr().String(), from, i%8 == 0, &opened) })
		}
	}
	for i, token := range []string{newSecret, "another", newSecret, "another"} {
		batch := cloudEvents(strings.Split(strings.Repeat(fmt.Sprint(i, ","), 500)+"0", ",")...)
		client := d.newClient(t, d.set)
		flood.Go(func() { sendOn(ctx, client, d.url, batch, token, &sent) })
	}
	for began := time.Now(); opened.Load() < 1200; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatalf("no more than %d connections were opened", opened.Load())
		}
	}
	var slowest time.Duration
	for i := range 10 {
		time.Sleep(100 * time.Millisecond) // as the source sends
		began := time.Now()
		d.client.CloseIdleConnections() // each event must get a place
		d.post(t, "quiet", cloudEvent(fmt.Sprint(i)), withToken(newSecret)...).require(t, http.StatusAccepted, "contoso")
		slowest = max(slowest, time.Since(began))
	}
	t.Logf("%d connections were opened and %d events sent meanwhile; the slowest answer took %s", opened.Load(), sent.Load(), slowest)
	if sent.Load() == 0 {
		t.Error("nothing was sent meanwhile")
	}
}

// linger opens a connection a second at most, one after the other, from an address, and
// holds each until the door closes it. It says nothing, or one byte each second.
func linger(ctx context.Context, to, from string, drips bool, opened *atomic.Int64) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	pace := time.NewTicker(time.Second)
	defer pace.Stop()
	for ; ctx.Err() == nil; <-pace.C {
		c, err := dialer.DialContext(ctx, "tcp", to)
		if err != nil {
			continue
		}
		opened.Add(1)
		hangUp := context.AfterFunc(ctx, func() { _ = c.Close() })
		for closed := make([]byte, 1); ; {
			if drips {
				_, _ = c.Write([]byte{22}) // a TLS record begins so
				_ = c.SetReadDeadline(time.Now().Add(time.Second))
			}
			if _, err := c.Read(closed); err != nil && (!drips || !isTimeout(err)) {
				break
			}
		}
		hangUp()
		c.Close()
	}
}

func isTimeout(err error) bool {
	timeout, ok := err.(net.Error) //nolint:errorlint // as package net returns it
	return ok && timeout.Timeout()
}

// sendOn sends a batch again and again, whatever it is answered.
func sendOn(ctx context.Context, c *http.Client, url, batch, token string, sent *atomic.Int64) {
	for ctx.Err() == nil {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/events/flooding", strings.NewReader(batch))
		if err != nil {
			return
		}
		r.Header.Set("Content-Type", "application/cloudevents-batch+json")
		r.Header.Set("Authorization", "Bearer "+token)
		if answer, err := c.Do(r); err == nil {
			answer.Body.Close()
			sent.Add(500)
		}
	}
}
