package connect

import (
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
)

// warnInterval is the time between two warnings about the same credential: it is
// read for every call or connection, of which there may be many a second.
const warnInterval = time.Minute

// followed is a credential that follows its files. It is read each time that it is
// used, so what replaces it counts at once. If it cannot be read, as while a
// program writes it, the one before stays in use.
type followed[T any] struct {
	// what names the credential in the log.
	what string
	read func() (T, error)
	// describe returns what may be logged of a credential, the same for the same
	// one.
	describe func(T) string
	log      *zap.Logger

	mu     sync.Mutex
	value  T
	warned time.Time
}

// load reads the credential for the first time; without any there is nothing to
// keep.
func (f *followed[T]) load() error {
	value, err := f.read()
	if err != nil {
		return fmt.Errorf("read %s: %w", f.what, err)
	}
	f.value = value
	return nil
}

// current returns the newest credential that could be read.
func (f *followed[T]) current() T {
	value, err := f.read()
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case err != nil && time.Since(f.warned) >= warnInterval:
		f.warned = time.Now()
		f.log.Warn("a credential for Temporal cannot be read; the one before stays in use", zap.String("credential", f.what), zap.Error(err))
	case err == nil:
		if before, now := f.describe(f.value), f.describe(value); before != now {
			f.log.Info("a credential for Temporal was replaced", zap.String("credential", f.what), zap.String("before", before), zap.String("now", now))
		}
		f.value, f.warned = value, time.Time{}
	}
	return f.value
}
