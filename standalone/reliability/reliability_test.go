// Package reliability tests from outside that no fault leaves a farm half changed
// without a report that says so: it injects every fault into every step of a
// rotation, a rollback and a retirement, and compares the reported outcome with the
// farm's true state. And it tests that events lead to one rotation for each reason,
// however often they are delivered, and whatever dies meanwhile.
//
// Everything but the servers is real: the worker's own executable, a Temporal
// server on its database file, and HTTPS between the worker and a simulated farm.
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

// The flags must follow the package in go test's arguments. The number of
// scenarios is -cells because go test has a flag -n of its own.
var (
	full   = flag.Bool("full", false, "run every scenario of the table")
	out    = flag.String("out", "", "after a run of every scenario, write the table to this `file`")
	sample = flag.Int("cells", 30, "run this `many` scenarios, chosen by the seed")
	seed   = flag.Uint64("seed", 0, "choose and order scenarios by this `number`; 0 for a random one")
	only   = flag.String("only", "", "run the scenarios whose names contain this `text`")
	atOnce = flag.Int("at-once", 8, "run this `many` scenarios in parallel; they spend most of the time waiting")
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
	if *seed == 0 {
		*seed = rand.Uint64()>>32 + 1
	}
	os.Exit(runTests(m))
}

// runTests builds the worker, which all tests share, runs the tests and returns
// the exit code.
func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "reliability")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	workerPath, err = buildProgram(dir, "worker")
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

func TestReliability_ReportedOutcomeIsTheTrueOne(t *testing.T) {
	t.Parallel()
	began := time.Now()
	first := newTestFarm(t)
	q := newQueue(chooseScenarios(t, listScenarios(t, first)))
	var runners sync.WaitGroup
	runners.Go(func() { q.runScenarios(t, first) })
	for range min(*atOnce, len(q.results)) - 1 {
		runners.Go(func() { q.runScenarios(t, newTestFarm(t)) })
	}
	runners.Wait()
	took := time.Since(began).Round(time.Second)
	t.Logf("%d scenarios in %s", len(q.results), took)
	if *full && *only == "" && *out != "" {
		writeTable(t, *out, q.results, took)
	}
}

// chooseScenarios returns the scenarios that the flags select, in an order that
// depends on the seed alone.
func chooseScenarios(t *testing.T, all []scenario) []scenario {
	t.Helper()
	all = slices.DeleteFunc(all, func(c scenario) bool { return !c.isNamed(*only) })
	chance := rand.New(rand.NewPCG(*seed, 0))
	chance.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	if *full || *only != "" {
		t.Logf("%d scenarios; repeat this order with -seed %d", len(all), *seed)
		return all
	}
	t.Logf("%d of %d scenarios; repeat them with -cells %d -seed %d", *sample, len(all), *sample, *seed)
	// Each pair of operation and fault comes once before any comes a second time.
	turns, turn := map[string]int{}, map[scenario]int{}
	for _, c := range all {
		turns[string(c.operation)+c.faultName]++
		turn[c] = turns[string(c.operation)+c.faultName]
	}
	slices.SortStableFunc(all, func(a, b scenario) int { return turn[a] - turn[b] })
	return all[:min(*sample, len(all))]
}

// queue hands out scenarios and keeps their results.
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

// takeNext takes a scenario out of the queue, preferably one that the farm is ready
// for. It returns nil when the queue is empty.
func (q *queue) takeNext(s *testFarm) *result {
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

// runScenarios runs scenarios on one farm until the queue is empty: a real farm too
// lives through one fault after another. A failure may leave the farm in any state,
// so the next scenario gets a new one.
func (q *queue) runScenarios(t *testing.T, s *testFarm) {
	for r := q.takeNext(s); r != nil; r = q.takeNext(s) {
		if r.failed = !t.Run(r.String(), func(t *testing.T) { r.run(t, s) }); r.failed {
			s.stop(t)
			s = newTestFarm(t)
		}
	}
	s.stop(t)
}

// withDeadline returns a context that ends shortly before the test's own deadline,
// which leaves time to stop all processes.
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
