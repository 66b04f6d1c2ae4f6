package winrm

import (
	"context"
	"fmt"
	"strings"
	"sync"
)

// maxShells is how many shells are open on one server at once. Windows allows
// 30 for each user (MaxShellsPerUser), which other programs may need too, and
// each runs a PowerShell process.
const maxShells = 5

// slots counts the shells on each server, and on all.
type slots struct {
	// all has an element for each shell; nil where their number is not bounded.
	all chan struct{}

	mu     sync.Mutex
	byHost map[string]*slot
}

// slot is one server's. It exists as long as a call holds or awaits a shell.
type slot struct {
	shells chan struct{}
	users  int
}

// acquireSlot waits for the right to open a shell on host, until ctx is done.
// Call release once when the shell is gone. It waits for the server first: calls
// that one busy server keeps waiting must not keep others from theirs.
func (s *slots) acquireSlot(ctx context.Context, host string) (release func(), err error) {
	host = strings.ToLower(host)
	mine := s.addUser(host)
	select {
	case mine.shells <- struct{}{}:
	case <-ctx.Done():
		s.removeUser(host, mine)
		return nil, fmt.Errorf("wait for one of %d shells: %w", maxShells, ctx.Err())
	}
	leaveHost := func() {
		<-mine.shells
		s.removeUser(host, mine)
	}
	if s.all == nil {
		return leaveHost, nil
	}
	select {
	case s.all <- struct{}{}:
		return func() { <-s.all; leaveHost() }, nil
	case <-ctx.Done():
		leaveHost()
		return nil, fmt.Errorf("wait for one of %d calls at once: %w", cap(s.all), ctx.Err())
	}
}

func (s *slots) addUser(host string) *slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byHost == nil {
		s.byHost = make(map[string]*slot)
	}
	mine, ok := s.byHost[host]
	if !ok {
		mine = &slot{shells: make(chan struct{}, maxShells)}
		s.byHost[host] = mine
	}
	mine.users++
	return mine
}

func (s *slots) removeUser(host string, mine *slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if mine.users--; mine.users == 0 {
		delete(s.byHost, host)
	}
}
