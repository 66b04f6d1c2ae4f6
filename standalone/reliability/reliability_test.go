// Package reliability proves, from outside, that nothing leaves a farm in
// between unnoticed: each thing that can go wrong happens during each step of a
// rotation, of an undo and of a retirement, and what is then reported must be
// what is there.
//
// Everything is real but the servers: the worker's own program, a Temporal
// server on its file, HTTPS between the worker and a simulated farm. It has no
// code that anything else uses.
package reliability

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"
)

// The flags of a run; go test passes them on when they follow the package. It
// keeps -n for itself.
var (
	full   = flag.Bool("full", false, "run every scenario of the table")
	out    = flag.String("out", "", "after a run of every scenario, write the table to this `file`")
	sample = flag.Int("scenarios", 30, "run this `many` scenarios, chosen by the seed")
	seed   = flag.Uint64("seed", 0, "choose and order scenarios by this `number`; 0 makes one up")
	only   = flag.String("only", "", "run the scenarios whose names contain this `text`")
	atOnce = flag.Int("at-once", 8, "run this `many` scenarios at the same time; they mostly wait")
)

func TestMain(m *testing.M) {
	if dir, ok := os.LookupEnv(serveEnv); ok {
		if err := serveTemporal(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	os.Exit(run(m))
}

// run builds the worker's program, which all tests share, and runs them.
func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "reliability")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	err = buildWorker(dir)
	code := 1
	if err == nil {
		code = m.Run()
	}
	if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func TestWhateverGoesWrongTheReportedOutcomeIsTheTrueOne(t *testing.T) {
	t.Parallel()
	began := time.Now()
	first := newTestFarm(t)
	q := newQueue(chooseScenarios(t, listScenarios(t, first)))
	var lanes sync.WaitGroup
	lanes.Go(func() { q.runScenarios(t, first) })
	for range min(*atOnce, len(q.results)) - 1 {
		lanes.Go(func() { q.runScenarios(t, newTestFarm(t)) })
	}
	lanes.Wait()
	took := time.Since(began).Round(time.Second)
	t.Logf("%d scenarios in %s", len(q.results), took)
	if *full && *only == "" && *out != "" {
		writeTable(t, *out, q.results, took)
	}
}

// choose leaves the cells that the flags ask for, in an order that the seed
// decides.
func chooseScenarios(t *testing.T, all []scenario) []scenario {
	t.Helper()
	if *seed == 0 {
		*seed = rand.Uint64()>>32 + 1
	}
	all = slices.DeleteFunc(all, func(c scenario) bool { return !c.isNamed(*only) })
	chance := rand.New(rand.NewPCG(*seed, 0))
	chance.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	if *full || *only != "" {
		t.Logf("%d scenarios; the same order again with -seed %d", len(all), *seed)
		return all
	}
	t.Logf("%d of %d scenarios; repeat them with -scenarios %d -seed %d", *sample, len(all), *sample, *seed)
	// Every trouble meets every way before it meets one a second time.
	turns, turn := map[string]int{}, map[scenario]int{}
	for _, c := range all {
		turns[string(c.operation)+c.faultName]++
		turn[c] = turns[string(c.operation)+c.faultName]
	}
	slices.SortStableFunc(all, func(a, b scenario) int { return turn[a] - turn[b] })
	return all[:min(*sample, len(all))]
}

// queue hands out cells, and keeps how they ended.
type queue struct {
	mu      sync.Mutex
	results []result
	left    []int
}

func newQueue(scenarios []scenario) *queue {
	q := &queue{results: make([]result, len(scenarios))}
	for i, c := range scenarios {
		q.results[i] = result{scenario: c, failed: true}
		q.left = append(q.left, i)
	}
	return q
}

// next prefers a cell that begins where a site's farm is.
func (q *queue) next(s *testFarm) *result {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.left) == 0 {
		return nil
	}
	at := max(0, slices.IndexFunc(q.left, func(i int) bool { return s.isReadyFor(q.results[i].operation) }))
	r := &q.results[q.left[at]]
	q.left = slices.Delete(q.left, at, at+1)
	return r
}

// work runs cells one after the other at a site, as a farm meets one trouble
// after the other in its life, and goes on at a new one after a failure.
func (q *queue) runScenarios(t *testing.T, s *testFarm) {
	for r := q.next(s); r != nil; r = q.next(s) {
		if r.failed = !t.Run(r.String(), func(t *testing.T) { r.run(t, s) }); r.failed {
			s.stop(t)
			s = newTestFarm(t)
		}
	}
	s.stop(t)
}

// deadline ends before the test does, so that no process is left behind.
func withDeadline(t *testing.T) context.Context {
	t.Helper()
	end, ok := t.Deadline()
	if !ok {
		return t.Context()
	}
	const cleanUp = 15 * time.Second
	ctx, cancel := context.WithDeadline(t.Context(), end.Add(-cleanUp))
	t.Cleanup(cancel)
	return ctx
}
