package model

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// mutex is the named mutex of a machine: a script of farmtrust holds it while it
// changes something. Windows knows nothing of it but who may open it.
type mutex struct {
	// holder is nil while nobody holds it.
	holder *Session
	since  time.Time
	// released is closed when the holder lets go of it, or ends.
	released chan struct{}
	// abandoned says that its last holder ended without releasing it.
	abandoned bool
	// turns counts how often it was taken, and makes the number of the holder's process.
	turns int
}

// process is what runs in a session: a script of farmtrust, from [Session.BeginScript]
// to [Session.EndProcess].
type process struct {
	// script is empty for what an administrator does by hand.
	script string
	// queue says that it takes scripts from a queue, which it reads before each.
	queue bool
	// observed says that the script observed something while it did not hold the mutex.
	observed bool
	// linger is how long the script takes while it holds the mutex.
	linger Linger
	// hurried is closed when it is to linger no more, ended when it ends; both are nil
	// where nothing was begun.
	hurried, ended chan struct{}
}

// Linger is how long a script takes before its first look, and after its last change,
// while it holds the mutex.
type Linger struct{ Before, After time.Duration }

// AbandonedMutexException is what the next one to take a mutex is told, and takes it
// nevertheless, when its holder ended without releasing it.
const AbandonedMutexException = "System.Threading.AbandonedMutexException"

// errEnded is returned by every operation of a process that was ended.
var errEnded = errors.New("the process was ended")

// BeginScript says that what the session does from now on is done by the process of a
// script of farmtrust. Changes of such a process are watched; see [World.Unguarded].
func (s *Session) BeginScript(name string) { s.begin(process{script: name}) }

// BeginQueue is [Session.BeginScript] for the process of a task that runs several
// scripts, and reads files of its own before each.
func (s *Session) BeginQueue(name string) { s.begin(process{script: name, queue: true}) }

func (s *Session) begin(p process) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	p.linger, p.hurried, p.ended = s.process.linger, make(chan struct{}), make(chan struct{})
	s.process = p
}

// Linger makes the script of the session take so long while it holds the mutex, and
// that of a scheduled task that it starts.
func (s *Session) Linger(l Linger) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.process.linger = l
}

// EndProcess ends the process of the session's script. A mutex that it holds is
// abandoned.
func (s *Session) EndProcess() { s.endProcess(false) }

// KillProcess ends the process of the session's script wherever it is: what it still
// asks for fails.
func (s *Session) KillProcess() { s.endProcess(true) }

func (s *Session) endProcess(killed bool) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.killed = s.killed || killed
	if s.process.ended != nil {
		close(s.process.ended)
	}
	s.process = process{}
	if s.m.mutex.holder == s {
		s.m.mutex.free(true)
	}
}

// free lets go of the mutex.
func (m *mutex) free(abandoned bool) {
	m.holder, m.abandoned = nil, abandoned
	close(m.released)
}

// reset is what a restart of the machine does.
func (m *mutex) reset() {
	if m.holder != nil {
		m.free(false)
	}
	m.abandoned = false
}

// Hurry ends the lingering of the script that holds the mutex of a machine, and reports
// whether there is one.
func (w *World) Hurry(host string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	m, err := w.findMachine(host)
	if err != nil || m.mutex.holder == nil || m.mutex.holder.process.hurried == nil {
		return false
	}
	p := &m.mutex.holder.process
	close(p.hurried)
	p.hurried, p.linger = make(chan struct{}), Linger{}
	return true
}

// OpenMutex opens the mutex, or creates it. The account of a scheduled task is no
// administrator, and is refused while another account has it.
func (s *Session) OpenMutex() error {
	return s.asProcess(func(time.Time) error {
		if holder := s.m.mutex.holder; holder != nil && s.logon.Auth == Batch && holder.logon.User != s.logon.User {
			s.world.countRule(RuleMutexAccess)
			return accessDenied()
		}
		return nil
	})
}

// WaitMutex waits for the mutex, and reports whether the session holds it. A wait for a
// mutex that was abandoned ends with an [AbandonedMutexException], and the session
// holds it as well.
func (s *Session) WaitMutex(wait time.Duration) (held bool, err error) {
	timer := time.NewTimer(s.world.mutexWait(wait))
	defer timer.Stop()
	for {
		turn, err := s.tryMutex()
		if err != nil {
			return false, err
		}
		if turn.released == nil {
			return s.holdMutex(turn.abandoned)
		}
		select {
		case <-turn.released:
		case <-turn.ended:
			return false, errEnded
		case <-timer.C:
			return false, nil
		}
	}
}

// mutexWait is how long a script waits that asks to wait so long.
func (w *World) mutexWait(wait time.Duration) time.Duration {
	if w.policy.MutexWait > 0 {
		return w.policy.MutexWait
	}
	return wait
}

// turn is an attempt to take the mutex: released is nil when it was taken.
type turn struct {
	released, ended <-chan struct{}
	abandoned       bool
}

// tryMutex takes the mutex unless another session holds it.
func (s *Session) tryMutex() (t turn, err error) {
	err = s.asProcess(func(now time.Time) error {
		m := &s.m.mutex
		t = turn{ended: s.process.ended}
		if m.holder != nil && m.holder != s {
			t.released = m.released
			return nil
		}
		if t.abandoned = m.abandoned; t.abandoned {
			s.world.countRule(RuleMutexAbandoned)
		}
		m.turns++
		m.holder, m.since, m.abandoned, m.released = s, now, false, make(chan struct{})
		return nil
	})
	return t, err
}

// holdMutex lets the time pass that the script takes before its first look.
func (s *Session) holdMutex(abandoned bool) (held bool, err error) {
	if err := s.spend(func(l Linger) time.Duration { return l.Before }); err != nil {
		return false, err
	}
	if abandoned {
		return true, &Error{
			ID: "AbandonedMutexException", Message: "The wait completed due to an abandoned mutex.", Category: "NotSpecified",
			Exception: AbandonedMutexException, HResult: abandonedMutexResult,
		}
	}
	return true, nil
}

// spend lets a time pass that the script takes, unless its process is ended.
func (s *Session) spend(which func(Linger) time.Duration) error {
	s.world.mu.Lock()
	p := s.process
	s.world.mu.Unlock()
	if which(p.linger) <= 0 {
		return nil
	}
	timer := time.NewTimer(which(p.linger))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-p.hurried:
		return nil
	case <-p.ended:
		return errEnded
	}
}

// ReleaseMutex releases the mutex, after the time that the script takes after its last
// change.
func (s *Session) ReleaseMutex() error {
	if err := s.spend(func(l Linger) time.Duration { return l.After }); err != nil {
		return err
	}
	return s.asProcess(func(time.Time) error {
		if s.m.mutex.holder != s {
			return &Error{
				ID: "ApplicationException", Message: "Object synchronization method was called from an unsynchronized block of code.",
				Category: "NotSpecified", Exception: "System.ApplicationException", HResult: notOwnerResult,
			}
		}
		s.m.mutex.free(false)
		return nil
	})
}

// OtherRun is the process of another script of farmtrust: the one that holds the mutex.
// found is false when there is none, and for an account that is no administrator, which
// does not see it.
func (s *Session) OtherRun() (number int, since time.Time, found bool, err error) {
	err = s.asProcess(func(time.Time) error {
		m := s.m.mutex
		if m.holder == nil || m.holder == s || (s.logon.Auth == Batch && m.holder.logon.User != s.logon.User) {
			return nil
		}
		const step = 4 // Windows numbers processes in fours.
		number, since, found = step*m.turns, s.m.clock(m.since), true
		return nil
	})
	return number, since, found, err
}

// noteObservation remembers that a script observes something before it holds the
// mutex. The caller holds the world's lock.
func (s *Session) noteObservation() {
	if s.process.script != "" && !s.process.queue && s.m.mutex.holder != s {
		s.process.observed = true
	}
}

// noteChange checks that a script that changes something holds the mutex, and has held
// it since before it looked. The caller holds the world's lock.
func (s *Session) noteChange() {
	text := ""
	switch {
	case s.process.script == "":
		return
	case s.m.mutex.holder != s:
		text = fmt.Sprintf("%s: %s changed something without the mutex", s.m.Host, s.process.script)
	case s.process.observed:
		text = fmt.Sprintf("%s: %s observed before it held the mutex", s.m.Host, s.process.script)
	default:
		return
	}
	if !slices.Contains(s.world.unguarded, text) {
		s.world.unguarded = append(s.world.unguarded, text)
	}
}

// Unguarded lists the scripts that changed something on a machine without its mutex, or
// with one that they took only after they had looked: two of them could have changed it
// at the same time. What is not changed by a script does not count.
func (w *World) Unguarded() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.unguarded)
}
