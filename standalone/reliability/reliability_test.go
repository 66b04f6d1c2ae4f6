// Package reliability proves, from outside, that nothing leaves a farm in
// between unnoticed: each thing that can go wrong happens during each step of a
// rotation and of an undo, and what is then reported must be what is there.
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
	full   = flag.Bool("full", false, "run every cell of the table, and write docs/reliability.md")
	sample = flag.Int("cells", 24, "run this `many` cells, chosen by the seed")
	seed   = flag.Uint64("seed", 0, "choose cells by this `number`; 0 makes one up")
	only   = flag.String("only", "", "run the cells whose names contain this `text`")
	atOnce = flag.Int("at-once", 6, "run this `many` cells at the same time; they mostly wait")
)

func TestMain(m *testing.M) {
	if dir, ok := os.LookupEnv(serveEnv); ok {
		if err := serve(dir); err != nil {
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
	err = build(dir)
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
	cells := choose(t, table(t))
	results := make([]result, len(cells))
	began := time.Now()
	next := make(chan int)
	var lanes sync.WaitGroup
	for range *atOnce {
		lanes.Go(func() {
			for i := range next {
				results[i] = result{cell: cells[i]}
				t.Run(cells[i].String(), func(t *testing.T) { results[i].run(t) })
			}
		})
	}
	for i := range cells {
		next <- i
	}
	close(next)
	lanes.Wait()
	t.Logf("%d cells in %s", len(cells), time.Since(began).Round(time.Second))
	if *full && *only == "" {
		writeTable(t, results, time.Since(began))
	}
}

// choose leaves the cells that the flags ask for.
func choose(t *testing.T, all []cell) []cell {
	t.Helper()
	all = slices.DeleteFunc(all, func(c cell) bool { return !c.named(*only) })
	if *full || *only != "" {
		return all
	}
	if *seed == 0 {
		*seed = rand.Uint64()>>32 + 1
	}
	t.Logf("%d of %d cells; repeat them with -cells %d -seed %d", *sample, len(all), *sample, *seed)
	chance := rand.New(rand.NewPCG(*seed, 0))
	chance.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	// Every trouble has its turn before any has its second.
	turns, turn := map[string]int{}, map[string]int{}
	for _, c := range all {
		turns[c.trouble.name]++
		turn[c.String()] = turns[c.trouble.name]
	}
	slices.SortStableFunc(all, func(a, b cell) int { return turn[a.String()] - turn[b.String()] })
	return all[:min(*sample, len(all))]
}

// deadline ends before the test does, so that no process is left behind.
func deadline(t *testing.T) context.Context {
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
