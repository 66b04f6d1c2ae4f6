// Package ntlm is the client's half of NTLMv2, without signing and sealing: two messages
// that prove a password, to a server that a TLS connection has authenticated.
//
// It speaks nothing older: what a challenge lacks for a proof that serves on this one
// connection alone is refused. Sections are those of [MS-NLMP].
package ntlm

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // the protocol's
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"

	"golang.org/x/crypto/md4" //nolint:staticcheck // the protocol's
)

const signature = "NTLMSSP\x00"

// Types of messages (2.2.1).
const (
	typeNegotiate    = 1
	typeChallenge    = 2
	typeAuthenticate = 3
)

// Flags (2.2.2.5).
const (
	flagUnicode         = 0x00000001
	flagRequestTarget   = 0x00000004
	flagNTLM            = 0x00000200
	flagAlwaysSign      = 0x00008000
	flagExtendedSession = 0x00080000
	flagTargetInfo      = 0x00800000
	flagVersion         = 0x02000000
	flag128             = 0x20000000
)

// offered are the flags that are asked for. No key is exchanged: nothing is signed or
// sealed with it.
const offered = flagUnicode | flagRequestTarget | flagNTLM | flagAlwaysSign | flagExtendedSession | flagTargetInfo | flagVersion | flag128

// Identifiers of what is known about the target (2.2.2.1).
const (
	avEnd             = 0
	avFlags           = 6
	avTimestamp       = 7
	avTargetName      = 9
	avChannelBindings = 10
	// avFlagMIC says that the message has an integrity code.
	avFlagMIC = 2
)

// Lengths and positions in the messages (2.2.1.1 to 2.2.1.3), with the version and, in the
// last one, the integrity code.
const (
	negotiateLength = 40
	challengeLength = 48
	headerLength    = 88
	micAt           = 72
	lmLength        = 24
	timestampLength = 8
)

// version is that of Windows Server 2019, 10.0.17763, with revision 15 of NTLM (2.2.2.10):
// for debugging only, the specification says.
var version = []byte{10, 0, 0x63, 0x45, 0, 0, 0, 15}

// ErrChallenge means that a challenge is none, or lacks what a proof needs that serves
// nowhere else.
var ErrChallenge = errors.New("the challenge is refused")

// Client is who proves what to whom.
type Client struct {
	// User is "user", "DOMAIN\user" or "user@domain".
	User     string
	Password []byte
	// Target is the service that is meant, such as HTTP/server.contoso.com: a server that
	// checks it accepts the proof for no other.
	Target string
	// Bindings are the application data of the channel bindings (RFC 5929).
	Bindings []byte
}

// Negotiate returns the message that opens the exchange.
func Negotiate() []byte {
	m := make([]byte, negotiateLength)
	copy(m, signature)
	binary.LittleEndian.PutUint32(m[8:], typeNegotiate)
	binary.LittleEndian.PutUint32(m[12:], offered)
	copy(m[32:], version)
	return m
}

// Authenticate returns the message that answers a challenge to an offer. It fails with
// [ErrChallenge].
func Authenticate(offer, challenge []byte, c Client) ([]byte, error) {
	asked, err := readChallenge(challenge)
	if err != nil {
		return nil, err
	}
	var nonce [8]byte
	_, _ = rand.Read(nonce[:]) // never fails, says crypto/rand
	return answer(offer, challenge, asked, c, nonce), nil
}

// answer is [Authenticate] with the client's nonce.
func answer(offer, challenge []byte, asked challengeMessage, c Client, nonce [8]byte) []byte {
	user, domain := splitUser(c.User)
	key := responseKey(user, domain, c.Password)
	blob := join(
		// The version of the response, and six bytes that are zero (2.2.2.7).
		[]byte{1, 1, 0, 0, 0, 0, 0, 0}, asked.timestamp, nonce[:], make([]byte, 4),
		targetInfo(asked.info, c), make([]byte, 4),
	)
	proof := code(key, asked.nonce, blob)
	// LmChallengeResponse is zero, as it must be with a timestamp (3.1.5.1.2): an LMv2
	// response would prove the password without channel bindings.
	m := authenticateMessage(asked.flags&offered, make([]byte, lmLength), join(proof, blob), encodeText(domain), encodeText(user))
	// Without a key exchange, the key of the session is that of the response (3.4.5.1).
	copy(m[micAt:], code(code(key, proof), offer, challenge, m))
	return m
}

// splitUser returns the two parts of "DOMAIN\user". A name with an @ has no domain beside
// it.
func splitUser(name string) (user, domain string) {
	if d, u, ok := strings.Cut(name, `\`); ok {
		return u, d
	}
	return name, ""
}

// responseKey is NTOWFv2 (3.3.2).
func responseKey(user, domain string, password []byte) []byte {
	hash := md4.New()
	hash.Write(encodeText(string(password)))
	return code(hash.Sum(nil), encodeText(strings.ToUpper(user)+domain))
}

// targetInfo is what the server says about itself, with what the client adds (3.1.5.1.2).
func targetInfo(asked []avPair, c Client) []byte {
	var info []byte
	flags := uint32(avFlagMIC)
	for _, p := range asked {
		switch p.id {
		case avFlags:
			if len(p.value) == 4 {
				flags |= binary.LittleEndian.Uint32(p.value)
			}
		case avChannelBindings, avTargetName: // the client's own to say
		default:
			info = appendPair(info, p.id, p.value)
		}
	}
	info = appendPair(info, avFlags, binary.LittleEndian.AppendUint32(nil, flags))
	info = appendPair(info, avChannelBindings, bindingsHash(c.Bindings))
	info = appendPair(info, avTargetName, encodeText(c.Target))
	return appendPair(info, avEnd, nil)
}

// bindingsHash is the MD5 hash of a gss_channel_bindings_struct without addresses (2.2.2.1;
// RFC 4121, 4.1.1.2).
func bindingsHash(application []byte) []byte {
	hash := md5.New() //nolint:gosec // the protocol's
	hash.Write(make([]byte, 16))
	hash.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(application)))) //nolint:gosec // a hash and a word
	hash.Write(application)
	return hash.Sum(nil)
}

// authenticateMessage puts an AUTHENTICATE_MESSAGE together, with an integrity code that is
// still zero (2.2.1.3).
func authenticateMessage(flags uint32, lm, nt, domain, user []byte) []byte {
	m := make([]byte, headerLength, headerLength+len(lm)+len(nt)+len(domain)+len(user))
	copy(m, signature)
	binary.LittleEndian.PutUint32(m[8:], typeAuthenticate)
	for i, field := range [][]byte{lm, nt, domain, user, nil, nil} { // neither a workstation nor a session key
		at := 12 + 8*i
		binary.LittleEndian.PutUint16(m[at:], uint16(len(field)))   //nolint:gosec // bounded by readChallenge and the configuration
		binary.LittleEndian.PutUint16(m[at+2:], uint16(len(field))) //nolint:gosec // as above
		binary.LittleEndian.PutUint32(m[at+4:], uint32(len(m)))     //nolint:gosec // as above
		m = append(m, field...)
	}
	binary.LittleEndian.PutUint32(m[60:], flags)
	copy(m[64:], version)
	return m
}

func code(key []byte, parts ...[]byte) []byte {
	c := hmac.New(md5.New, key)
	for _, part := range parts {
		c.Write(part)
	}
	return c.Sum(nil)
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func encodeText(s string) []byte {
	var b []byte
	for _, unit := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return b
}

func appendPair(b []byte, id uint16, value []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, id)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(value))) //nolint:gosec // bounded by readChallenge
	return append(b, value...)
}

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrChallenge, fmt.Sprintf(format, args...))
}
