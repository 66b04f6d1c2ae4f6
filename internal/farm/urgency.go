package farm

import "time"

// Urgency is how close the end of the certificate in use is.
type Urgency int

// The levels, from the end of the certificate backwards.
const (
	NotUrgent Urgency = iota
	// Within seven days, three days and one day of the end; for a certificate that lives
	// for less than six weeks, within a sixth, a twelfth and a 24th of its life.
	EndsWithinWeek
	EndsWithinThreeDays
	EndsWithinDay
	// Ended: data refresh has failed since.
	Ended
)

// level is from when on the end of a certificate is how urgent: from a time before it,
// but not before a part of its life.
type level struct {
	before time.Duration
	part   time.Duration
}

// levels begin after a renewal is due, which is a third of the life before the end at the
// latest: what has not had its turn yet is not urgent.
var levels = map[Urgency]level{
	EndsWithinWeek: {7 * 24 * time.Hour, 6}, EndsWithinThreeDays: {3 * 24 * time.Hour, 12}, EndsWithinDay: {24 * time.Hour, 24}, Ended: {0, 1},
}

// UrgentBefore is how long before the end of a certificate a level begins. A life of zero
// counts as a long one.
func UrgentBefore(u Urgency, life time.Duration) time.Duration {
	l := levels[u]
	if life <= 0 {
		return l.before
	}
	return min(l.before, life/l.part)
}

// UrgencyAt returns how urgent the end of a certificate with that life is; not at all
// where its end is zero, because none is in use.
func UrgencyAt(now, notAfter time.Time, life time.Duration) Urgency {
	for u := Ended; u > NotUrgent; u-- {
		if !notAfter.IsZero() && !now.Before(notAfter.Add(-UrgentBefore(u, life))) {
			return u
		}
	}
	return NotUrgent
}

// NextUrgencyAt returns when the next level begins; zero after the end.
func NextUrgencyAt(now, notAfter time.Time, life time.Duration) time.Time {
	next := UrgencyAt(now, notAfter, life) + 1
	if notAfter.IsZero() || next > Ended {
		return time.Time{}
	}
	return notAfter.Add(-UrgentBefore(next, life))
}

// Describe says it in words for a certificate with that life, such as "ends within three
// days"; empty for NotUrgent.
func (u Urgency) Describe(life time.Duration) string {
	before := UrgentBefore(u, life)
	switch {
	case u == NotUrgent:
		return ""
	case u == Ended:
		return "has ended"
	case before < levels[u].before:
		return "ends within " + FormatDuration(before.Truncate(time.Minute))
	case u == EndsWithinWeek:
		return "ends within a week"
	case u == EndsWithinThreeDays:
		return "ends within three days"
	}
	return "ends within a day"
}
