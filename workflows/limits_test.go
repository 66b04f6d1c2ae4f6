package workflows_test

import (
	"errors"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/proto"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// maxBlob is what Temporal takes in one piece, less what encryption adds.
//
// Source: Temporal, limit.blobSize.error.
const maxBlob = 2<<20 - 4<<10

// measuringConverter keeps the size of the largest piece that goes to Temporal: the
// arguments of a call are one, and so is a result.
type measuringConverter struct {
	converter.DataConverter
	largest atomic.Int64
}

func (c *measuringConverter) ToPayloads(values ...any) (*commonpb.Payloads, error) {
	payloads, err := c.DataConverter.ToPayloads(values...)
	c.note(proto.Size(payloads))
	return payloads, err
}

func (c *measuringConverter) ToPayload(value any) (*commonpb.Payload, error) {
	payload, err := c.DataConverter.ToPayload(value)
	c.note(proto.Size(payload))
	return payload, err
}

func (c *measuringConverter) note(size int) {
	for known := c.largest.Load(); int64(size) > known && !c.largest.CompareAndSwap(known, int64(size)); known = c.largest.Load() {
	}
}

// newMeasuredRun is a run of which the largest piece is measured that goes to Temporal.
func (f *testFarm) newMeasuredRun(t *testing.T) (*testRun, *measuringConverter) {
	t.Helper()
	r, c := f.newRun(t), &measuringConverter{DataConverter: converter.GetDefaultDataConverter()}
	r.env.SetDataConverter(c)
	return r, c
}

// hostility is how much the servers of a farm lie.
type hostility struct {
	from atomic.Bool // whether they have begun
	// host is the only hostile server; empty for all of them.
	host string
	// flood makes an answer as large as it is taken.
	flood func(answer reflect.Value)
}

// answer is a hook of a simulated farm.
func (h *hostility) answer(host, _ string, result any) any {
	if !h.from.Load() || h.host != "" && h.host != host {
		return result
	}
	lie := reflect.New(reflect.TypeOf(result)).Elem()
	lie.Set(reflect.ValueOf(result))
	h.flood(lie)
	return lie.Interface()
}

// floodTexts makes every text that long which is no thumbprint. Each of its characters
// takes one byte on the way from a server, and six on the way to Temporal.
func floodTexts(length int) func(reflect.Value) {
	text := strings.Repeat("<", length/6)
	var flood func(v reflect.Value)
	flood = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				if v.Type().Field(i).Name != "Thumbprint" && v.Type().Field(i).IsExported() {
					flood(v.Field(i))
				}
			}
		case reflect.Slice:
			if v.Len() > 0 && v.Type().Elem().Kind() != reflect.Uint8 {
				all := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
				reflect.Copy(all, v)
				for i := range all.Len() {
					flood(all.Index(i))
				}
				v.Set(all)
			}
		case reflect.String:
			v.SetString(text)
		}
	}
	return flood
}

// floodLists repeats what is in each list until it has so many elements.
func floodLists(elements int) func(reflect.Value) {
	var flood func(v reflect.Value)
	flood = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				flood(v.Field(i))
			}
		case reflect.Slice:
			if v.Len() == 0 || v.Type().Elem().Kind() == reflect.Uint8 {
				return
			}
			all := reflect.MakeSlice(v.Type(), 0, elements)
			for all.Len() < elements {
				all = reflect.Append(all, v.Index(all.Len()%v.Len()))
			}
			v.Set(all)
		}
	}
	return flood
}

// floodHealth makes one text large that decides nothing, so that a rotation goes on as
// long as it can.
func floodHealth(length int) func(reflect.Value) {
	return func(v reflect.Value) {
		if s, ok := v.Interface().(powershell.OfficeServer); ok {
			s.Health, s.LastErrors = strings.Repeat("x", length), []string{strings.Repeat("y", length), strings.Repeat("z", length), strings.Repeat("w", length)}
			v.Set(reflect.ValueOf(s))
		}
	}
}

func TestRotateTrust_HostileServers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		servers int
		hostile *hostility
		// since is the step with which the servers begin to lie; empty from the start.
		since string
	}{
		"every text, all servers":                    {servers: 12, hostile: &hostility{flood: floodTexts(3000)}},
		"every text, after the cutover":              {servers: 8, hostile: &hostility{flood: floodTexts(3000)}, since: "RestartSharePoint"},
		"every list, after the cutover":              {servers: 8, hostile: &hostility{flood: floodLists(60)}, since: "RestartSharePoint"},
		"what decides nothing, all servers":          {servers: 12, hostile: &hostility{flood: floodHealth(15 << 10)}},
		"as much as is taken, all servers":           {servers: 12, hostile: &hostility{flood: floodHealth(7500)}},
		"what decides nothing, one server, after it": {servers: 3, hostile: &hostility{host: office2, flood: floodHealth(15 << 10)}, since: "RestartSharePoint"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newTestFarm(t, farmsim.Options{OfficeServers: c.servers, Trusting: true, Hooks: farmsim.Hooks{Answer: c.hostile.answer}})
			f.issueCertificate(t)
			r, measured := f.newMeasuredRun(t)
			if c.since == "" {
				c.hostile.from.Store(true)
			} else {
				r.onActivity(c.since, func() { c.hostile.from.Store(true) })
			}
			// An operator gives up whatever waits for one.
			for hour := range 48 {
				r.after(time.Duration(hour)*time.Hour+time.Minute, func() {
					if s := r.status(); s.Wait != nil && s.Wait.For == farm.ForDecision {
						r.sendDecision(farm.Decision{Choice: farm.Abort}, func(error) {}) // it may just go on
					}
				})
			}
			ended := r.rotate()
			if n := measured.largest.Load(); n > maxBlob {
				t.Errorf("%d KiB go to Temporal in one piece", n>>10)
			} else {
				t.Logf("%s: %s: %d KiB in one piece", ended.Outcome, ended.Statement[:min(len(ended.Statement), 200)], n>>10)
			}
		})
	}
}

func TestInspectFarm_HostileServers(t *testing.T) {
	t.Parallel()
	lies := &hostility{flood: floodHealth(15 << 10)}
	lies.from.Store(true)
	f := newTestFarm(t, farmsim.Options{OfficeServers: 9, Trusting: true, Hooks: farmsim.Hooks{Answer: lies.answer}})
	found := f.inspect(t)
	// Nine times 60 KiB are more than is kept; six times are not.
	said := 0
	for _, s := range found.Servers {
		if s.Problem == "" {
			continue
		}
		said++
		if !strings.HasPrefix(s.Problem, s.Host+" shows 6") || !strings.Contains(s.Problem, "farmtrust skip") {
			t.Errorf("%s: %s", s.Host, s.Problem)
		}
	}
	if said != 3 || len(found.Plan) > 0 {
		t.Errorf("%d servers are named, want 3; %d differences, want none", said, len(found.Plan))
	}
}

// A comparison quotes what servers show: a long name is in a difference of every server.
func TestCompare_TooMuch(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{OfficeServers: 20, Trusting: true})
	f.issueCertificate(t)
	config, _ := f.Farm(farmsim.FarmName)
	observed := f.inspect(t).Observed
	for i := range observed.Office {
		observed.Office[i].Settings.S2SCertificateName = strings.Repeat("<", 16<<10)
		observed.Office[i].Settings.CertificateName = strings.Repeat("<", 16<<10)
	}
	_, err := f.activities.Compare(t.Context(), activities.CompareInput{Farm: config, Target: farm.Certificate{Thumbprint: "A"}, Observed: observed})
	application, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok || application.Type() != activities.TooMuch || !application.NonRetryable() || !strings.Contains(err.Error(), "oos-") {
		t.Errorf("got %.300v, want %s with a server", err, activities.TooMuch)
	}
}
