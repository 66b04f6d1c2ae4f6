package reliability

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// deliveries is a farm whose events come in by the door and by the folder of its worker,
// and by the door of a process of its own, which knows no farms.
type deliveries struct {
	*testFarm

	door   *program
	folder string
	ways   []way
	chance *rand.Rand
	events []sentEvent
	// known is how many of the events were delivered so far, and total how many deliveries
	// there were.
	known, total int
	// starts is how often a process was started that delivers events.
	starts int
	// withheld is where the first certificate is before it is in the source.
	withheld string
}

// newDeliveries starts a farm whose certificate ends soon, which no event and no
// inspection can change: its source has no other one yet.
func newDeliveries(ctx context.Context, t *testing.T) *deliveries {
	t.Helper()
	s := &deliveries{folder: t.TempDir(), chance: rand.New(rand.NewPCG(*seed, eventCount))}
	t.Logf("repeat this order with -seed %d", *seed)
	for i := range eventCount {
		s.events = append(s.events, newEvent(t, i))
	}
	outside := t.TempDir()
	key := filepath.Join(outside, "key")
	writeFile(t, key, []byte("a key that is long enough"))
	inner, innerURL := newListen(t, key)
	outer, outerURL := newListen(t, key)
	s.ways = []way{throughDoor(innerURL), throughDoor(outerURL), throughFolder(s.folder)}
	s.testFarm = newTestFarm(t, func(c map[string]any) {
		c["listen"] = inner
		c["pull"] = []any{map[string]any{"name": "folder", "format": string(keyVaultSource.Format), "directory": map[string]any{"path": s.folder}}}
		rotation := c["farms"].([]any)[0].(map[string]any)["rotation"].(map[string]any)
		rotation["keepOldFor"], rotation["watchInterval"] = "14d", "24h" // nothing happens by itself meanwhile
	})
	s.starts++
	s.startDoor(t, outside, outer)
	s.withhold(t)
	if err := s.farm().Resume(ctx, author); err != nil {
		t.Fatal(err)
	}
	s.awaitIdle(ctx, t)
	return s
}

// newListen returns a configuration of a door at a free port, and the address to send to.
func newListen(t *testing.T, key string) (listen map[string]any, address string) {
	t.Helper()
	host := freeAddress(t)
	listen = map[string]any{
		"address": host,
		// What is sent does not leave this machine, so that nothing has to encrypt it.
		"proxies": []any{"127.0.0.1/32"},
		"sources": []any{map[string]any{
			"name": keyVaultSource.Name, "format": string(keyVaultSource.Format), "queryKey": []any{"file:" + key}, "rate": 1000,
		}},
	}
	in := url.URL{
		Scheme: "http", Host: host, Path: "/events/" + keyVaultSource.Name,
		RawQuery: url.Values{"key": {string(readFile(t, key))}}.Encode(),
	}
	return listen, in.String()
}

// freeAddress returns an address that nothing listens on, of a port that no outgoing
// connection gets while the program that listens there is restarted.
func freeAddress(t *testing.T) string {
	t.Helper()
	const lowest, highest = 20000, 32767
	for {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", lowest+rand.IntN(highest-lowest)))
		if err != nil {
			continue // taken
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return l.Addr().String()
	}
}

// startDoor starts farmtrust listen, whose files are in dir.
func (s *deliveries) startDoor(t *testing.T, dir string, listen map[string]any) {
	t.Helper()
	path, err := buildProgram(dir, "starter")
	if err != nil {
		t.Fatal(err)
	}
	content, err := yaml.Marshal(map[string]any{"listen": listen})
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "door.yaml")
	writeFile(t, config, content)
	s.door = &program{
		path: path, args: []string{"listen", "--config", config, "--clear-payloads"},
		env: append(isolatedEnv(s.dir), "TEMPORAL_ADDRESS="+s.temporal.address), log: logFile(t, s.dir, "door.log"),
	}
	s.door.start(t)
	s.starts++
	t.Cleanup(func() { s.door.kill(t) })
}

// withhold takes the first certificate out of the source.
func (s *deliveries) withhold(t *testing.T) {
	t.Helper()
	path, _ := s.certificateFile(t)
	s.withheld = filepath.Join(s.dir, filepath.Base(path))
	if err := os.Rename(path, s.withheld); err != nil {
		t.Fatal(err)
	}
}

// offerFirst puts the first certificate into the source, and returns it.
func (s *deliveries) offerFirst(t *testing.T) farm.Thumbprint {
	t.Helper()
	if err := os.Rename(s.withheld, filepath.Join(s.dir, "farm", "certificates", filepath.Base(s.withheld))); err != nil {
		t.Fatal(err)
	}
	return s.target
}

// killAll kills everything but the servers.
func (s *deliveries) killAll(t *testing.T) {
	t.Helper()
	for _, p := range s.programs() {
		p.kill(t)
	}
}

// startAll starts what was killed, in any order.
func (s *deliveries) startAll(t *testing.T) {
	t.Helper()
	for _, p := range s.programs() {
		if !p.hasEnded() {
			continue
		}
		p.start(t)
		if p != s.temporal {
			s.starts++
		}
	}
}

// programs are the programs that can be killed, in random order.
func (s *deliveries) programs() []*program {
	all := []*program{s.temporal, s.worker, s.door}
	s.chance.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// deliver begins so many deliveries, in random order and on random ways: of each of the
// next fresh events once, and else of those before.
func (s *deliveries) deliver(ctx context.Context, t *testing.T, deliveries, fresh int) *wave {
	t.Helper()
	w := &wave{}
	before := s.known
	if before == 0 {
		before = fresh
	}
	for i := range deliveries {
		e, by := s.chance.IntN(before), s.chance.IntN(len(s.ways))
		if i < fresh {
			e, by = s.known+i, i%len(s.ways)
		}
		w.deliver(ctx, t, s.events[e], s.ways[by], time.Duration(s.chance.Int64N(int64(waveSpan))))
	}
	s.known, s.total = s.known+fresh, s.total+deliveries
	return w
}

// finish waits until each delivery of the waves is taken, and the controller has answered
// all events so far: before any of them is delivered again.
func (s *deliveries) finish(ctx context.Context, t *testing.T, waves ...*wave) {
	t.Helper()
	for _, w := range waves {
		w.all.Wait()
	}
	if t.Failed() {
		t.FailNow()
	}
	s.await(ctx, t, "the folder is empty", func() bool {
		left, err := filepath.Glob(filepath.Join(s.folder, "*.json"))
		return err == nil && len(left) == 0
	})
	s.awaitState(ctx, t, fmt.Sprintf("all of %d events are answered", s.known), func(state controller.State) bool {
		for _, e := range s.events[:s.known] {
			if _, isAnswered := state.Mailbox.ResultOf(e.key); !isAnswered {
				return false
			}
		}
		return len(state.Mailbox.Pending) == 0
	})
	s.awaitIdle(ctx, t)
}

// await waits until a condition holds.
func (s *deliveries) await(ctx context.Context, t *testing.T, what string, holds func() bool) {
	t.Helper()
	for !holds() {
		if ctx.Err() != nil {
			t.Fatalf("%s: %v", what, context.Cause(ctx))
		}
		time.Sleep(pollInterval / 10)
	}
}

func writeFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
