package intake

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/config"
)

// maxSignatures is how many signatures a header may have: one for each secret that counts
// at the sender's.
const maxSignatures = 5

// signature is what a header such as t=1732873000,v1=HEX says.
type signature struct {
	// text is the time as it was signed, at the time that it means.
	text string
	at   time.Time
	// macs are the signatures of that time, a dot and the body, by HMAC-SHA256.
	macs [][]byte
}

// parseSignature reads the header. The time is in seconds since 1970, or in milliseconds:
// as seconds, those would be thousands of years ahead.
func parseSignature(header string) (s signature, ok bool) {
	for part := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "t":
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil || n < 0 || s.text != "" {
				return signature{}, false
			}
			s.text, s.at = value, time.Unix(n, 0)
			if n > 100_000_000_000 {
				s.at = time.UnixMilli(n)
			}
		case "v1":
			mac, err := hex.DecodeString(value)
			if err != nil || len(mac) != sha256.Size || len(s.macs) == maxSignatures {
				return signature{}, false
			}
			s.macs = append(s.macs, mac)
		}
	}
	return s, s.text != "" && len(s.macs) > 0
}

// isBy reports whether a secret has signed the body.
func (s signature) isBy(secret, body []byte) bool {
	h := hmac.New(sha256.New, secret)
	fmt.Fprintf(h, "%s.", s.text)
	h.Write(body)
	want, found := h.Sum(nil), false
	for _, mac := range s.macs {
		found = hmac.Equal(mac, want) || found
	}
	return found
}

// proveHMAC proves by a signature of the time and the body. What was overheard can be
// sent again while the time counts, which is no harm: an event counts once.
func proveHMAC(c config.HMACProof, known secrets, now func() time.Time) func(*http.Request, []byte) error {
	return func(r *http.Request, body []byte) error {
		given := r.Header.Get(c.Header)
		s, ok := parseSignature(given)
		if !ok {
			return refused("no signature: send the header %s: t=TIME,v1=SIGNATURE, which is HMAC-SHA256 of TIME, a dot and the body, in hexadecimal digits", c.Header)
		}
		found, err := known.find(func(secret []byte) bool { return s.isBy(secret, body) })
		switch off := now().Sub(s.at).Abs(); {
		case found && off > c.Tolerance:
			return refused("the signature is of %s, and it is %s: correct the sender's clock or this one's, or sign it again", s.at.UTC().Format(time.RFC3339), now().UTC().Format(time.RFC3339))
		case found:
			return nil
		case err != nil:
			return fmt.Errorf("read the secrets of the source: %w", err)
		}
		return refused("the signature is wrong")
	}
}
