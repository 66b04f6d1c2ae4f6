package intake_test

import (
	"io"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/logging"
)

// clock is a clock that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Now()} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// logTo returns a log that writes to w what an administrator reads.
func logTo(w io.Writer) *zap.Logger { return logging.New(w, logging.JSON, zap.InfoLevel) }
