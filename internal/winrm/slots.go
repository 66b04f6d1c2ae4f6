package winrm

import (
	"context"
	"strings"
	"sync"
)

// maxShells is how many shells are open on one server at once. Windows allows
// 30 for each user (MaxShellsPerUser), which other programs may need too, and
// each runs a PowerShell process.
const maxShells = 5

// slots counts the shells on each server.
type slots struct {
	mu     sync.Mutex
	byHost map[string]*slot
}

// slot is one server's. It exists as long as a call holds or awaits a shell.
type slot struct {
	shells chan struct{}
	users  int
}

// acquireSlot waits for the right to open a shell on host, until ctx is done.
// Call release once when the shell is gone.
func (s *slots) acquireSlot(ctx context.Context, host string) (release func(), err error) {
	host = strings.ToLower(host)
	mine := s.addUser(host)
	select {
	case mine.shells <- struct{}{}:
		return func() {
			<-mine.shells
			s.removeUser(host, mine)
		}, nil
	case <-ctx.Done():
		s.removeUser(host, mine)
		return nil, ctx.Err()
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
