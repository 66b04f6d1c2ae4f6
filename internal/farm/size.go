package farm

import (
	"encoding/json"
	"fmt"
)

// Limits of what a farm's servers say together. What they say travels through Temporal,
// which takes two megabytes in one piece: a comparison needs it twice, and a run that
// could not hand it over would neither go on nor end.
//
// Source: Temporal, limit.blobSize.error.
const (
	// MaxObserved bounds what all servers of a farm show, in bytes of JSON: more than
	// twice what the largest farm shows, of a hundred office servers.
	MaxObserved = 400 << 10
	// MaxComparison bounds what a comparison finds in that.
	MaxComparison = 400 << 10
	// MaxUnfinished bounds the snapshots together that a controller keeps of rotations
	// that were not finished: they travel with its state when it continues as new.
	MaxUnfinished = 2 * MaxObserved
	// MaxRunReport bounds the report of a run.
	MaxRunReport = 400 << 10
)

// SizeOf is how many bytes a value takes as JSON. Workflows call it: the JSON of a value
// without maps is always the same.
//
//workflowcheck:ignore
func SizeOf(v any) int {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // what is measured is plain values
	}
	return len(text)
}

// TooMuchError is the error of servers that show more together than is kept.
type TooMuchError struct {
	// Host shows more than any other.
	Host string
	// Bytes are how much it shows, and Limit how much all may together.
	Bytes, Limit int
}

func (e *TooMuchError) Error() string {
	return fmt.Sprintf("%s shows %d KiB, and all servers of a farm together may show %d KiB: no server in good order shows so much; "+
		"do not trust it before you know who controls it, and leave it out of a rotation with farmtrust skip", e.Host, e.Bytes>>10, e.Limit>>10)
}

// FindTooMuch returns a [*TooMuchError] of the server among hosts that shows the most,
// if all of them together show more than is kept; nil otherwise.
func (r Readings) FindTooMuch(hosts []string) *TooMuchError {
	total, most := 0, &TooMuchError{Limit: MaxObserved}
	for _, host := range hosts {
		size := SizeOf(r[host])
		if total += size; size > most.Bytes {
			most.Host, most.Bytes = host, size
		}
	}
	if total <= MaxObserved {
		return nil
	}
	return most
}

// Loudest returns the server that shows the most; empty where nothing was observed.
func (o Observed) Loudest() string {
	host, most := "", 0
	note := func(name string, shown any) {
		if size := SizeOf(shown); name != "" && size > most {
			host, most = name, size
		}
	}
	for _, s := range o.Office {
		note(s.Machine.Host, s)
	}
	for _, f := range o.SharePoint {
		note(f.FrontEnd, f)
		for _, s := range f.Servers {
			note(s.Machine.Host, s)
		}
	}
	return host
}
