package delivery

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/singleflight"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

const (
	// refreshInterval is how long the index may lag behind what controllers show.
	refreshInterval = time.Minute
	// missInterval is the least time between two refreshes for events that concern no farm:
	// what a sender sends must not become load on Temporal.
	missInterval = 5 * time.Second
	// refreshTimeout bounds one refresh. A thousand controllers are one page.
	refreshTimeout = 10 * time.Second
)

// listener is a farm, and which events concern it.
type listener struct {
	farm client.Farm
	controller.Interest
}

// index knows which events concern which farms: those that this process has in its
// configuration, and those whose controllers run.
type index struct {
	site client.Client
	// configured are the farms of this process' configuration, whose events count as they
	// are there.
	configured []farm.Farm
	log        *zap.Logger

	refreshes singleflight.Group
	mu        sync.Mutex
	farms     *register
	// refreshed is when the controllers were last listed; zero before the first time.
	refreshed time.Time
	// failed is why they could not be listed at failedAt; nil when that was successful.
	failed   error
	failedAt time.Time
	// unread are the farms whose memos could not be read then.
	unread []string
}

func newIndex(site client.Client, configured []farm.Farm, log *zap.Logger) *index {
	x := &index{site: site, configured: configured, log: log}
	x.farms = newRegister(x.merge(nil))
	return x
}

// list returns what is known now, and its age.
func (x *index) list() (*register, time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.farms, x.refreshed
}

// refreshAfterMiss refreshes for an event, unless that has failed just now.
func (x *index) refreshAfterMiss(ctx context.Context) error {
	x.mu.Lock()
	failed, at := x.failed, x.failedAt
	x.mu.Unlock()
	if failed != nil && time.Since(at) < missInterval {
		return failed
	}
	return x.refresh(ctx)
}

// refresh lists the controllers, together with others who want that now.
func (x *index) refresh(ctx context.Context) error {
	done := x.refreshes.DoChan("", func() (any, error) {
		// Not for the first caller alone, who may go away.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshTimeout)
		defer cancel()
		running, err := x.site.Interests(ctx)
		if err != nil {
			err = fmt.Errorf("find the farms that events concern: %w", err)
			x.mu.Lock()
			x.failed, x.failedAt = err, time.Now()
			x.mu.Unlock()
			return nil, err
		}
		x.take(running)
		return nil, nil
	})
	select {
	case <-ctx.Done():
		return ctx.Err()
	case r := <-done:
		return r.Err
	}
}

func (x *index) take(running []client.InterestedFarm) {
	farms := newRegister(x.merge(running))
	var unread []string
	var problem error
	for _, f := range running {
		if f.Problem != nil {
			unread, problem = append(unread, f.Name()), f.Problem
		}
	}
	slices.Sort(unread)
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(unread) > 0 && !slices.Equal(unread, x.unread) {
		x.log.Warn("what events concern farms cannot be read: only those hear of an event that it names, or that are configured here",
			zap.Strings("farms", unread), zap.Error(problem))
	}
	x.farms, x.refreshed, x.unread, x.failed = farms, time.Now(), unread, nil
}

// merge returns the farms that run and those that are configured. One that is both is
// where its controller runs, with the events of the configuration here.
func (x *index) merge(running []client.InterestedFarm) (all []listener) {
	for _, f := range running {
		all = append(all, listener{f.Farm, f.Interest})
	}
	for _, f := range x.configured {
		i := slices.IndexFunc(all, func(l listener) bool { return l.farm.Name() == f.Name })
		if i < 0 {
			i, all = len(all), append(all, listener{farm: x.site.Farm(f.Name).Under(f.Rotation)})
		}
		all[i].Events = f.Certificate.Events
	}
	slices.SortFunc(all, func(a, b listener) int {
		return cmp.Or(strings.Compare(a.farm.Name(), b.farm.Name()), strings.Compare(a.farm.Site(), b.farm.Site()))
	})
	return all
}
