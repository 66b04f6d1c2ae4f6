package farm

import "time"

// Urgency is how close the end of the certificate in use is.
type Urgency int

// The levels, from the end of the certificate backwards.
const (
	NotUrgent Urgency = iota
	// Within seven days, three days and one day of the end.
	EndsWithinWeek
	EndsWithinThreeDays
	EndsWithinDay
	// Ended: data refresh has failed since.
	Ended
)

// urgentBefore is how long before the end of the certificate each level begins.
var urgentBefore = map[Urgency]time.Duration{
	EndsWithinWeek: 7 * 24 * time.Hour, EndsWithinThreeDays: 3 * 24 * time.Hour, EndsWithinDay: 24 * time.Hour, Ended: 0,
}

// UrgencyAt returns how urgent the end of a certificate is; not at all where its end
// is zero, because none is in use.
func UrgencyAt(now, notAfter time.Time) Urgency {
	for level := Ended; level > NotUrgent; level-- {
		if !notAfter.IsZero() && !now.Before(notAfter.Add(-urgentBefore[level])) {
			return level
		}
	}
	return NotUrgent
}

// NextUrgencyAt returns when the next level begins; zero after the end.
func NextUrgencyAt(now, notAfter time.Time) time.Time {
	next := UrgencyAt(now, notAfter) + 1
	if notAfter.IsZero() || next > Ended {
		return time.Time{}
	}
	return notAfter.Add(-urgentBefore[next])
}

// String says it in words, such as "ends within three days"; empty for NotUrgent.
func (u Urgency) String() string {
	switch u {
	case EndsWithinWeek:
		return "ends within a week"
	case EndsWithinThreeDays:
		return "ends within three days"
	case EndsWithinDay:
		return "ends within a day"
	case Ended:
		return "has ended"
	case NotUrgent:
	}
	return ""
}
