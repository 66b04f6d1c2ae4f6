package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/api/serviceerror"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/delivery"
	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// testDeliverer delivers to a fake Temporal, on synctest's clock.
type testDeliverer struct {
	*delivery.Deliverer
	*fakeTemporal

	logs *observer.ObservedLogs
}

// deliver runs a deliverer with configured farms, and calls during while it runs.
func deliver(t *testing.T, f *fakeTemporal, configured []farm.Farm, during func(*testing.T, testDeliverer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.InfoLevel)
		d := testDeliverer{delivery.New(client.New(f.dial(t)).At("berlin"), configured, zap.New(core)), f, logs}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); d.Run(ctx) }()
		synctest.Wait()
		during(t, d)
		stop()
		<-done
	})
}

// pass lets time pass.
func pass(d time.Duration) {
	time.Sleep(d) // synctest's clock: nothing is waited for
	synctest.Wait()
}

// assertDelivered delivers an event, which these farms must hear.
func (d testDeliverer) assertDelivered(t *testing.T, e event.Expiry, from delivery.Source, farms ...string) {
	t.Helper()
	got, err := d.Deliver(t.Context(), e, from)
	if err != nil {
		t.Fatalf("deliver %s: %v", e, err)
	}
	if diff := cmp.Diff(farms, got.Farms); diff != "" {
		t.Errorf("farms that hear %s (-want +got):\n%s%s", e, diff, got.Reason)
	}
}

func withEvents(name string, events ...farm.EventMatch) farm.Farm {
	return farm.Farm{Name: name, Certificate: farm.CertificatePolicy{Events: events}}
}

func using(certificates ...farm.CertificateIdentity) controller.Interest {
	return controller.Interest{Certificates: certificates}
}

var (
	oos = farm.CertificateIdentity{
		Thumbprint: "A9993E364706816ABA3E25717850C26C9CD0D89D", SHA256: strings.Repeat("AB", 32), Serial: "1D2C3B",
		Subject: "CN=OOS S2S 2026, O=Contoso", Names: []string{"OOS S2S 2026", "oos.contoso.com"},
	}
	other = farm.CertificateIdentity{
		Thumbprint: farm.Thumbprint(strings.Repeat("0B", 20)), SHA256: strings.Repeat("CD", 32), Serial: "1",
		Subject: "CN=S2S, O=Fabrikam", Names: []string{"s2s", "oos.contoso.com"},
	}
)

func TestDeliver_ReachesTheFarmsThatAnEventConcerns(t *testing.T) {
	configured := []farm.Farm{
		withEvents("north", farm.EventMatch{Vault: "kv", Certificate: "north-s2s"}),
		withEvents("south", farm.EventMatch{Vault: "other"}, farm.EventMatch{Vault: "kv", Certificate: "south-s2s"}),
		withEvents("silent"),
		withEvents("careless", farm.EventMatch{}),
		withEvents("cloud", farm.EventMatch{ARN: "arn:aws:acm:eu-central-1:1:certificate/c"}),
		withEvents("labelled", farm.EventMatch{Source: "prometheus", Labels: map[string]string{"job": "oos", "site": "b"}}),
		withEvents("numbered", farm.EventMatch{Serials: []string{"7B", "123"}}, farm.EventMatch{Thumbprint: strings.Repeat("EF", 32)}),
		withEvents("titled", farm.EventMatch{Subject: "CN=OOS, O=Northwind"}, farm.EventMatch{Name: "oos.northwind.com"}),
	}
	labels := map[string]string{"job": "oos", "site": "b", "more": "x"}
	for claim, c := range map[string]struct {
		event event.Expiry
		from  delivery.Source
		want  []string
	}{
		"by vault and certificate":          {event: event.Expiry{Vault: "kv", Certificate: "south-s2s"}, want: []string{"south"}},
		"without regard to case":            {event: event.Expiry{Vault: "KV", Certificate: "North-S2S"}, want: []string{"north"}},
		"by vault alone":                    {event: event.Expiry{Vault: "other", Certificate: "anything"}, want: []string{"south"}},
		"by its own name":                   {event: event.Expiry{Farm: "silent"}, want: []string{"silent"}},
		"by its own name, whatever matches": {event: event.Expiry{Farm: "North", Vault: "other"}, want: []string{"north"}},
		"by its source, whatever it names":  {event: event.Expiry{Farm: "north", Vault: "kv"}, from: delivery.Source{Farms: []string{"silent", "South"}}, want: []string{"silent", "south"}},
		"by ARN":                            {event: event.Expiry{ARN: "arn:aws:acm:eu-central-1:1:certificate/C"}, want: []string{"cloud"}},
		"by source and labels":              {event: event.Expiry{Labels: labels}, from: delivery.Source{Name: "prometheus"}, want: []string{"labelled"}},
		"labels of another source":          {event: event.Expiry{Labels: labels}, from: delivery.Source{Name: "grafana"}},
		"not all labels":                    {event: event.Expiry{Labels: map[string]string{"job": "oos"}}, from: delivery.Source{Name: "prometheus"}},
		"by a reading of its serial number": {event: event.Expiry{Serials: []string{"291", "123"}}, want: []string{"numbered"}},
		"by SHA-256, as configured":         {event: event.Expiry{SHA256: strings.Repeat("EF", 32)}, want: []string{"numbered"}},
		"by subject, as OpenSSL writes it":  {event: event.Expiry{Subject: "/O=Northwind/CN=oos"}, want: []string{"titled"}},
		"by one of its names":               {event: event.Expiry{Names: []string{"a", "OOS.northwind.com"}}, want: []string{"titled"}},

		"by thumbprint, as it was seen":    {event: event.Expiry{Thumbprint: oos.Thumbprint}, want: []string{"far", "near"}},
		"by SHA-256, as it was seen":       {event: event.Expiry{SHA256: oos.SHA256}, want: []string{"far", "near"}},
		"by serial number, as it was seen": {event: event.Expiry{Serials: []string{"1D2C3B"}}, want: []string{"far", "near"}},
		"by subject, as it was seen":       {event: event.Expiry{Subject: "O=contoso,CN=oos s2s 2026"}, want: []string{"far", "near"}},
		"by a name that two have":          {event: event.Expiry{Names: []string{"OOS.contoso.com"}}, want: []string{"elsewhere", "far", "near"}},

		"its number goes before its name":                {event: event.Expiry{Thumbprint: oos.Thumbprint, Names: []string{"s2s"}}, want: []string{"far", "near"}},
		"its name, where no farm knows its number":       {event: event.Expiry{Thumbprint: "0123", Names: []string{"s2s"}}, want: []string{"elsewhere"}},
		"a serial number of another issuer":              {event: event.Expiry{Serials: []string{"1"}, Names: []string{"www.fabrikam.com"}}},
		"seen and configured: both hear it":              {event: event.Expiry{Vault: "kv", Certificate: "north-s2s", Thumbprint: oos.Thumbprint}, want: []string{"far", "near", "north"}},
		"by what another site's configuration matches":   {event: event.Expiry{Vault: "far-kv"}, want: []string{"far"}},
		"no certificate is known by a thumbprint of all": {event: event.Expiry{Thumbprint: "0123"}},
		"nothing is known of it":                         {event: event.Expiry{}},
	} {
		t.Run(claim, func(t *testing.T) {
			f := &fakeTemporal{}
			f.run(t, "near", "berlin", using(oos))
			f.run(t, "far", "tokyo", controller.Interest{Certificates: []farm.CertificateIdentity{oos}, Events: []farm.EventMatch{{Vault: "far-kv"}}})
			f.run(t, "elsewhere", "", using(other))
			c.event.ID, c.event.Source = "e1", "s"
			deliver(t, f, configured, func(t *testing.T, d testDeliverer) {
				d.assertDelivered(t, c.event, c.from, c.want...)
				want := map[string][]string{}
				for _, name := range c.want {
					want[name] = []string{c.event.String()}
				}
				if got := d.hearing(); len(got)+len(want) > 0 && !cmp.Equal(want, got) {
					t.Errorf("controllers were sent (-want +got):\n%s", cmp.Diff(want, got))
				}
			})
		})
	}
}

func TestDeliver_SaysWhyNoFarmHearsAnEvent(t *testing.T) {
	for claim, c := range map[string]struct {
		event event.Expiry
		want  string
	}{
		"nothing matches":   {event.Expiry{Kind: event.NearExpiry, Vault: "v", Certificate: "c"}, `near expiry of c in v (event e1) concerns no farm: none was seen to use this certificate, and no farm's certificate.events match it; to have a farm hear it, add {vault: "v", certificate: "c"} to its certificate.events`},
		"it names no farm":  {event.Expiry{Farm: "west"}, `names farm "west", which no worker has in its configuration`},
		"a certificate":     {event.Expiry{Thumbprint: oos.Thumbprint}, `add {thumbprint: "A9993E364706816ABA3E25717850C26C9CD0D89D", source: "s1"}`},
		"a serial number":   {event.Expiry{Serials: []string{"7B"}}, `add {serial: "0x7B", source: "s1"}`},
		"nothing but names": {event.Expiry{Names: []string{"a.contoso.com"}}, `add {name: "a.contoso.com", source: "s1"}`},
	} {
		t.Run(claim, func(t *testing.T) {
			c.event.ID, c.event.Source = "e1", "s"
			deliver(t, &fakeTemporal{}, nil, func(t *testing.T, d testDeliverer) {
				got, err := d.Deliver(t.Context(), c.event, delivery.Source{Name: "s1"})
				if err != nil || len(got.Farms) > 0 || !strings.Contains(got.Reason, c.want) {
					t.Errorf("got  %+v, %v\nwant %s", got, err, c.want)
				}
				warned := d.logs.FilterLevelExact(zapcore.WarnLevel).All()
				if len(warned) != 1 || !strings.Contains(warned[0].Message, c.want) || warned[0].ContextMap()["source"] != "s1" {
					t.Errorf("warned %v", warned)
				}
			})
		})
	}
}

var unavailable = serviceerror.NewUnavailable("no shards")

func TestDeliver_FailsUnlessTemporalHasTheEvent(t *testing.T) {
	two := []farm.Farm{withEvents("north", farm.EventMatch{Vault: "kv"}), withEvents("south", farm.EventMatch{Vault: "kv"})}
	e := event.Expiry{ID: "e1", Source: "s", Vault: "kv"}
	t.Run("while it cannot be signalled", func(t *testing.T) {
		deliver(t, &fakeTemporal{}, two, func(t *testing.T, d testDeliverer) {
			d.fail("SignalWithStartWorkflowExecution", unavailable)
			begin := time.Now()
			if got, err := d.Deliver(t.Context(), e, delivery.Source{}); err == nil || !strings.Contains(err.Error(), "north: ") || !strings.Contains(err.Error(), "south: ") {
				t.Errorf("got %v, %v", got, err)
			}
			if took := time.Since(begin); took > 21*time.Second {
				t.Errorf("it took %s to fail", took)
			}
			d.fail("SignalWithStartWorkflowExecution", nil)
			d.assertDelivered(t, e, delivery.Source{}, "north", "south")
		})
	})
	t.Run("while it is not known which farms there are", func(t *testing.T) {
		f := &fakeTemporal{}
		f.fail("ListWorkflowExecutions", serviceerror.NewPermissionDenied("not allowed", ""))
		deliver(t, f, two, func(t *testing.T, d testDeliverer) {
			pass(time.Hour)
			if got, err := d.Deliver(t.Context(), event.Expiry{ID: "e2", Source: "s", Thumbprint: oos.Thumbprint}, delivery.Source{}); err == nil {
				t.Errorf("an event of an unknown certificate: got %+v", got)
			}
			before := d.called("ListWorkflowExecutions")
			for i := range 1000 {
				if _, err := d.Deliver(t.Context(), event.Expiry{ID: fmt.Sprint(i), Source: "s", Thumbprint: "0123"}, delivery.Source{}); err == nil {
					t.Fatal("an event is taken for one of no farm while no farm is known")
				}
			}
			if calls := d.called("ListWorkflowExecutions") - before; calls > 1 {
				t.Errorf("1,000 events made %d calls that failed", calls)
			}
			d.assertDelivered(t, e, delivery.Source{}, "north", "south") // as configured
			if n := d.logs.FilterMessageSnippet("tried again each minute").Len(); n != 1 {
				t.Errorf("warned %d times in an hour", n)
			}
		})
	})
	t.Run("while a farm of its source has no controller", func(t *testing.T) {
		f := &fakeTemporal{}
		f.run(t, "west", "", controller.Interest{})
		deliver(t, f, nil, func(t *testing.T, d testDeliverer) {
			from := delivery.Source{Name: "vault", Farms: []string{"west", "east"}}
			if got, err := d.Deliver(t.Context(), e, from); err == nil || !strings.Contains(err.Error(), `farm "east", which source vault is for, has no controller`) {
				t.Errorf("got %+v, %v", got, err)
			}
			f.run(t, "east", "", controller.Interest{})
			pass(10 * time.Second)
			d.assertDelivered(t, e, from, "east", "west")
		})
	})
}

func TestDeliver_KnowsFarmsSoonAfterTheyShowThemselves(t *testing.T) {
	f := &fakeTemporal{}
	deliver(t, f, nil, func(t *testing.T, d testDeliverer) {
		pass(10 * time.Second)
		f.run(t, "near", "", using(oos))
		d.assertDelivered(t, event.Expiry{ID: "e1", Source: "s", Thumbprint: oos.Thumbprint}, delivery.Source{}, "near")
		before := f.listed()
		for i := range 1000 {
			d.assertDelivered(t, event.Expiry{ID: fmt.Sprint(i), Source: "s", Thumbprint: "0123"}, delivery.Source{})
		}
		if lists := f.listed() - before; lists > 1 {
			t.Errorf("1,000 events of no farm made %d lists of controllers", lists)
		}
		if n := d.logs.FilterMessageSnippet("event not delivered").Len(); n == 0 || n > 60 {
			t.Errorf("1,000 events of no farm made %d lines in the log", n)
		}
	})
}

func TestDeliver_IgnoresWhatIsNoController(t *testing.T) {
	f := &fakeTemporal{}
	memo := using(oos)
	f.run(t, "near", "", memo)
	f.runWorkflow("mine", "farmtrust", f.running["farm/near"].Memo.Fields)
	f.runWorkflow("farm/a b", "farmtrust", f.running["farm/near"].Memo.Fields)
	f.runWorkflow("farm/mine", "mine", f.running["farm/near"].Memo.Fields)
	f.run(t, "unreadable", "", memo)
	f.running["farm/unreadable"].Memo.Fields["certificates"] = payloadOf(t, "text")
	deliver(t, f, nil, func(t *testing.T, d testDeliverer) {
		d.assertDelivered(t, event.Expiry{ID: "e1", Source: "s", Thumbprint: oos.Thumbprint}, delivery.Source{}, "near")
		d.assertDelivered(t, event.Expiry{ID: "e2", Source: "s", Farm: "unreadable"}, delivery.Source{}, "unreadable")
		pass(time.Hour)
		if all := d.logs.FilterLevelExact(zapcore.WarnLevel).All(); len(all) != 1 || fmt.Sprint(all[0].ContextMap()["farms"]) != "[unreadable]" {
			t.Errorf("warned %v", all)
		}
	})
}

func TestDeliver_SendsAnEventOnce(t *testing.T) {
	e := event.Expiry{ID: "e1", Source: "s", Vault: "kv"}
	north := []farm.Farm{withEvents("north", farm.EventMatch{Vault: "kv"})}
	t.Run("when it is delivered again", func(t *testing.T) {
		deliver(t, &fakeTemporal{}, north, func(t *testing.T, d testDeliverer) {
			d.assertDelivered(t, e, delivery.Source{}, "north")
			pass(59 * time.Minute)
			if got, err := d.Deliver(t.Context(), e, delivery.Source{}); err != nil || got.Reason == "" || !cmp.Equal(got.Farms, []string{"north"}) {
				t.Errorf("got %+v, %v", got, err)
			}
			if heard := d.hearing()["north"]; len(heard) != 1 {
				t.Errorf("heard %d", len(heard))
			}
			pass(time.Hour)
			d.assertDelivered(t, e, delivery.Source{}, "north")
			if heard := d.hearing()["north"]; len(heard) != 2 {
				t.Errorf("two hours later: heard %d, want 2", len(heard))
			}
		})
	})
	t.Run("when it is delivered many times at once", func(t *testing.T) {
		deliver(t, &fakeTemporal{}, north, func(t *testing.T, d testDeliverer) {
			release := d.hold("north")
			var all sync.WaitGroup
			for range 1000 {
				all.Go(func() { d.assertDelivered(t, e, delivery.Source{}, "north") })
			}
			gone, cancel := context.WithCancel(t.Context())
			all.Go(func() {
				if _, err := d.Deliver(gone, e, delivery.Source{}); !errors.Is(err, context.Canceled) {
					t.Errorf("one who went away: %v", err)
				}
			})
			synctest.Wait()
			cancel()
			synctest.Wait()
			release()
			all.Wait()
			if heard := d.hearing()["north"]; len(heard) != 1 {
				t.Errorf("heard %d", len(heard))
			}
		})
	})
}

func TestDeliver_KeepsFloodsFromAFarm(t *testing.T) {
	farms := []farm.Farm{withEvents("north", farm.EventMatch{Vault: "kv"}), withEvents("south", farm.EventMatch{Vault: "other"})}
	of := func(i int, version string) event.Expiry {
		return event.Expiry{ID: fmt.Sprint(i), Source: "s", Kind: event.NearExpiry, Vault: "kv", Version: version}
	}
	deliver(t, &fakeTemporal{}, farms, func(t *testing.T, d testDeliverer) {
		for i := range 5000 {
			d.assertDelivered(t, of(i, "1"), delivery.Source{}, "north")
		}
		if heard := len(d.hearing()["north"]); heard != 60 {
			t.Errorf("5,000 events that say the same: heard %d, want 60", heard)
		}
		var busy *delivery.BusyError
		if _, err := d.Deliver(t.Context(), of(9000, "2"), delivery.Source{}); !errors.As(err, &busy) || busy.Farm != "north" || busy.After <= 0 || busy.After > 10*time.Second {
			t.Fatalf("one that says something else: %v", err)
		}
		d.assertDelivered(t, event.Expiry{ID: "1", Source: "s", Vault: "other"}, delivery.Source{}, "south")
		pass(busy.After)
		d.assertDelivered(t, of(9000, "2"), delivery.Source{}, "north")
		heard := d.hearing()["north"]
		if want := of(9000, "2").String(); heard[len(heard)-1] != want {
			t.Errorf("heard last %q, want %q", heard[len(heard)-1], want)
		}
		pass(24 * time.Hour)
		if heard := len(d.hearing()["north"]); heard != 61 {
			t.Errorf("heard %d", heard)
		}
	})
}

func TestDeliver_CountsWhatBecomesOfEvents(t *testing.T) {
	farms := []farm.Farm{withEvents("north", farm.EventMatch{Vault: "kv"})}
	deliver(t, &fakeTemporal{}, farms, func(t *testing.T, d testDeliverer) {
		vault, prometheus := delivery.Source{Name: "vault"}, delivery.Source{Name: "prometheus"}
		for range 3 {
			d.assertDelivered(t, event.Expiry{ID: "1", Source: "s", Vault: "kv"}, vault, "north")
		}
		d.assertDelivered(t, event.Expiry{ID: "2", Source: "s", Vault: "other"}, prometheus)
		for i := range 60 {
			_, err := d.Deliver(t.Context(), event.Expiry{ID: "3", Source: "s", Vault: "kv", Version: fmt.Sprint(i), NotAfter: time.Now()}, vault)
			if err != nil {
				t.Fatal(err)
			}
		}
		d.fail("SignalWithStartWorkflowExecution", serviceerror.NewPermissionDenied("not allowed", ""))
		if _, err := d.Deliver(t.Context(), event.Expiry{ID: "4", Source: "s", Vault: "kv"}, prometheus); err == nil {
			t.Error("stored although Temporal refuses it")
		}
		var got strings.Builder
		if err := d.WriteMetrics(&got); err != nil {
			t.Fatal(err)
		}
		want := `# HELP farmtrust_events_total Certificate-expiry events by source and by what became of them.
# TYPE farmtrust_events_total counter
farmtrust_events_total{source="prometheus",outcome="delivered"} 0
farmtrust_events_total{source="prometheus",outcome="repeated"} 0
farmtrust_events_total{source="prometheus",outcome="unmatched"} 1
farmtrust_events_total{source="prometheus",outcome="busy"} 0
farmtrust_events_total{source="prometheus",outcome="failed"} 1
farmtrust_events_total{source="vault",outcome="delivered"} 2
farmtrust_events_total{source="vault",outcome="repeated"} 61
farmtrust_events_total{source="vault",outcome="unmatched"} 0
farmtrust_events_total{source="vault",outcome="busy"} 0
farmtrust_events_total{source="vault",outcome="failed"} 0
`
		if diff := cmp.Diff(want, got.String()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}
