package wsman_test

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farmsim/wsman"
)

// once disrupts the first time that a point is reached.
func once(d wsman.Disruption, at func(wsman.Point) bool) func(*wsman.Options) {
	var mu sync.Mutex
	done := false
	return func(o *wsman.Options) {
		o.Disrupt = func(p wsman.Point) wsman.Disruption {
			mu.Lock()
			defer mu.Unlock()
			if done || !at(p) {
				return wsman.Disruption{}
			}
			done = true
			return d
		}
	}
}

func action(name string) func(wsman.Point) bool {
	return func(p wsman.Point) bool { return p.Stage == wsman.Requesting && p.Action == name }
}

func connecting(p wsman.Point) bool { return p.Stage == wsman.Connecting }

func TestDisrupt(t *testing.T) {
	t.Parallel()
	t.Run("a disrupted connection fails and the next works", func(t *testing.T) {
		t.Parallel()
		for _, kind := range []wsman.Kind{wsman.Refused, wsman.Dropped} {
			w := start(t, once(wsman.Disruption{Kind: kind}, connecting))
			k := talk(t, w)
			if r, err := k.try(transferURI+"/Create", shellBody("")); err == nil {
				t.Errorf("%s: answered %d", kind, r.Status)
			}
			if r := k.open(""); r.Status != 200 {
				t.Errorf("%s: afterwards: status %d", kind, r.Status)
			}
		}
	})
	t.Run("a hanging connection is never answered", func(t *testing.T) {
		t.Parallel()
		w := start(t, once(wsman.Disruption{Kind: wsman.Hang}, connecting))
		k := talk(t, w)
		k.client.Transport.(*http.Transport).TLSHandshakeTimeout = 200 * time.Millisecond
		if r, err := k.try(transferURI+"/Create", shellBody("")); err == nil {
			t.Errorf("answered %d", r.Status)
		}
		k.client.Transport.(*http.Transport).TLSHandshakeTimeout = 0
		if r := k.open(""); r.Status != 200 {
			t.Errorf("afterwards: status %d", r.Status)
		}
		eventually(t, func() bool { return w.Stats().Open == 1 })
	})
	t.Run("slow points are late but right", func(t *testing.T) {
		t.Parallel()
		const delay = 100 * time.Millisecond
		for name, at := range map[string]func(wsman.Point) bool{"connection": connecting, "request": action("Create")} {
			k := talk(t, start(t, once(wsman.Disruption{Kind: wsman.Slow, Delay: delay}, at)))
			began := time.Now()
			if r := k.open(""); r.Status != 200 {
				t.Errorf("%s: status %d", name, r.Status)
			}
			if took := time.Since(began); took < delay {
				t.Errorf("%s: took only %v", name, took)
			}
		}
	})
	t.Run("a dropped answer is lost but its request is carried out", func(t *testing.T) {
		t.Parallel()
		w := start(t, once(wsman.Disruption{Kind: wsman.Dropped}, action("Create")))
		k := talk(t, w)
		if _, err := k.try(transferURI+"/Create", shellBody("")); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("error %v", err)
		}
		if s := w.Stats(); s.Shells != 1 {
			t.Errorf("%d shells, want the one whose reply was lost", s.Shells)
		}
	})
}

// TestDisrupt_Request checks that a disrupted request is not carried out.
func TestDisrupt_Request(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		d     wsman.Disruption
		fault string
		code  int
	}{
		{d: wsman.Disruption{Kind: wsman.Refused}},
		{d: wsman.Disruption{Kind: wsman.Hang}},
		{d: wsman.Disruption{Kind: wsman.Unauthorized}, code: 401},
		{d: wsman.Disruption{Kind: wsman.SOAPFault, Fault: wsman.AccessDenied()}, code: 500, fault: "500 s:Sender/w:AccessDenied 5"},
		{d: wsman.Disruption{Kind: wsman.SOAPFault, Fault: wsman.QuotaLimit(wsman.UserQuota, 1)}, code: 500, fault: "500 s:Sender/w:QuotaLimit 2150859175"},
		{d: wsman.Disruption{Kind: wsman.SOAPFault, Fault: wsman.ProfileUnloading()}, code: 500, fault: "500 s:Receiver/w:InternalError 2147943418"},
		{d: wsman.Disruption{Kind: wsman.SOAPFault, Fault: wsman.Busy()}, code: 500, fault: "500 s:Receiver/w:InternalError 170"},
	} {
		w := start(t, once(c.d, func(p wsman.Point) bool { return p.Line == "echo a b" && p.User == user }))
		k := talk(t, w)
		k.open("")
		k.client.Timeout = 5 * time.Second
		if c.d.Kind == wsman.Hang {
			k.client.Timeout = 100 * time.Millisecond
		}
		r, err := k.try(shellURI+"/Command", `<r:CommandLine xmlns:r="`+shellURI+`"><r:Command>echo</r:Command><r:Arguments>a</r:Arguments><r:Arguments>b</r:Arguments></r:CommandLine>`)
		if (err != nil) != (c.code == 0) || r.Status != c.code || r.fault() != c.fault {
			t.Errorf("%s: status %d, fault %q, error %v", c.d.Kind, r.Status, r.fault(), err)
		}
		if ran := w.machine.commands(); len(ran) != 0 {
			t.Errorf("%s: %d commands ran", c.d.Kind, len(ran))
		}
	}
}

// TestPoints_NameCommand checks that points name the command that they are
// about.
func TestPoints_NameCommand(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []wsman.Point
	k := talk(t, start(t, func(o *wsman.Options) {
		o.Disrupt = func(p wsman.Point) wsman.Disruption {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, p)
			return wsman.Disruption{}
		}
	}))
	k.open("")
	c := k.start("cat").Body.CommandID
	k.send(c, "", "true")
	k.receive(c)
	k.signal(c, "terminate")
	k.close()
	at := func(action, line string) wsman.Point {
		return wsman.Point{Stage: wsman.Requesting, Action: action, User: user, Line: line}
	}
	want := []wsman.Point{{Stage: wsman.Connecting}, at("Create", ""), at("Command", "cat"), at("Send", "cat"), at("Receive", "cat"), at("Signal", "cat"), at("Delete", "")}
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestDisrupt_ByHost checks that the host can disturb the Receive of its
// command.
func TestDisrupt_ByHost(t *testing.T) {
	t.Parallel()
	k := talk(t, start(t))
	k.open("")
	c := k.start("dropped").Body.CommandID
	if _, err := k.try(shellURI+"/Receive", receiveBody(c)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("dropped: error %v", err)
	}
	if got := k.receive(c).fault(); got != unknown {
		t.Errorf("dropped, asked again: %s", got)
	}
	c = k.start("unauthorized").Body.CommandID
	if r := k.receive(c); r.Status != 401 {
		t.Errorf("unauthorized: status %d", r.Status)
	}
	if got := k.receive(c).stdout(t); got != "kept" {
		t.Errorf("unauthorized, asked again: %q", got)
	}
	c = k.start("late").Body.CommandID
	if got := k.receive(c).fault(); got != timedOut {
		t.Errorf("late: %s", got)
	}
	if got := k.receive(c).stdout(t); got != "late" {
		t.Errorf("late, asked again: %q", got)
	}
}

// TestReset checks that a reset forgets shells and cuts connections, and that
// the endpoint goes on serving.
func TestReset(t *testing.T) {
	t.Parallel()
	w := start(t)
	k := talk(t, w)
	k.open("")
	k.start("sleep")
	w.Reset()
	<-w.machine.ended
	eventually(t, func() bool { s := w.Stats(); return s.Shells == 0 && s.Commands == 0 && s.Open == 0 })
	k.client.CloseIdleConnections() // the client need not have noticed
	if got := k.start("hostname").fault(); got != unknown {
		t.Errorf("the old shell: %s", got)
	}
	if r := k.open(""); r.Status != 200 {
		t.Errorf("a new shell: status %d", r.Status)
	}
}

// TestClose checks that Close ends what runs and what waits.
func TestClose(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *wsman.Options) {
		o.Disrupt = func(p wsman.Point) wsman.Disruption {
			if p.Action == "Send" {
				return wsman.Disruption{Kind: wsman.Hang}
			}
			return wsman.Disruption{}
		}
	})
	k := talk(t, w)
	k.open("")
	sleeping, reading := k.start("sleep").Body.CommandID, k.start("cat").Body.CommandID
	var clients sync.WaitGroup
	for _, body := range []string{receiveBody(sleeping), receiveBody(reading)} {
		clients.Go(func() { _, _ = k.try(shellURI+"/Receive", body) })
	}
	clients.Go(func() { _, _ = k.try(shellURI+"/Send", "") })
	eventually(t, func() bool { s := w.Stats(); return s.Actions["Receive"] == 2 && s.Actions["Send"] == 1 })
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	clients.Wait()
	if s := w.Stats(); s.Shells != 0 || s.Commands != 0 {
		t.Errorf("left: %+v", s)
	}
	if len(w.machine.ended) != 1 {
		t.Error("Close did not wait for the command")
	}
	eventually(t, func() bool { return w.Stats().Open == 0 })
}
