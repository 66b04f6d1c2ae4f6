package intake

import (
	"net"
	"time"
)

// NewDoorman lets in what a listener accepts.
func NewDoorman(l net.Listener) net.Listener { return newDoorman(l, nil) }

// ParseSignature shows the fuzz test what a header says.
func ParseSignature(header string) (text string, at time.Time, macs int, ok bool) {
	s, ok := parseSignature(header)
	return s.text, s.at, len(s.macs), ok
}
