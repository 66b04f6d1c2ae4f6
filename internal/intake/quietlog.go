package intake

import (
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// warnInterval is the time between two warnings about the same thing: what is refused
// comes as fast as somebody likes.
const warnInterval = 10 * time.Second

// quietLog tells the same thing but now and then, and says how often it happened.
type quietLog struct {
	log *zap.Logger
	now func() time.Time

	mu sync.Mutex
	// warned has what was warned of. Its keys are names of sources and kinds of
	// refusals, never something that a request has.
	warned map[string]*warning
}

type warning struct {
	at    time.Time
	since int
}

func newQuietLog(log *zap.Logger, now func() time.Time) *quietLog {
	return &quietLog{log: log, now: now, warned: map[string]*warning{}}
}

func (q *quietLog) warn(what, message string, fields ...zap.Field) {
	q.say(zap.WarnLevel, what, message, fields...)
}

func (q *quietLog) say(level zapcore.Level, what, message string, fields ...zap.Field) {
	if unsaid, say := q.count(what); say {
		if unsaid > 0 {
			fields = append(fields, zap.Int("moreSinceLast", unsaid))
		}
		q.log.Log(level, message, fields...)
	}
}

// count reports whether it is time to say something again, and what was not said since.
func (q *quietLog) count(what string) (unsaid int, say bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	w, known := q.warned[what]
	if !known {
		w = &warning{}
		q.warned[what] = w
	}
	if now := q.now(); !known || now.Sub(w.at) >= warnInterval {
		unsaid, w.at, w.since = w.since, now, 0
		return unsaid, true
	}
	w.since++
	return 0, false
}
