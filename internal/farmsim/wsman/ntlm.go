package wsman

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf16"

	"golang.org/x/crypto/md4"
)

// The server's half of NTLMv2 [MS-NLMP 2.2, 3.2.5]. NTLMv1 and anonymous
// logons are refused, as current Windows does by default.

const signature = "NTLMSSP\x00"

// Message types [MS-NLMP 2.2.1].
const (
	typeNegotiate    = 1
	typeChallenge    = 2
	typeAuthenticate = 3
)

// Negotiation flags [MS-NLMP 2.2.2.5].
const (
	flagUnicode         = 0x00000001
	flagRequestTarget   = 0x00000004
	flagSign            = 0x00000010
	flagSeal            = 0x00000020
	flagNTLM            = 0x00000200
	flagAlwaysSign      = 0x00008000
	flagTargetServer    = 0x00020000
	flagExtendedSession = 0x00080000
	flagTargetInfo      = 0x00800000
	flagVersion         = 0x02000000
	flag128             = 0x20000000
	flagKeyExchange     = 0x40000000
	flag56              = 0x80000000
)

// Attribute identifiers [MS-NLMP 2.2.2.1].
const (
	avEnd             = 0
	avComputerName    = 1
	avDomainName      = 2
	avDNSComputerName = 3
	avFlags           = 6
	avTimestamp       = 7
	avChannelBindings = 10
	avFlagMIC         = 2
)

const (
	negotiateLen    = 16 // up to the flags; what follows is optional
	challengeLen    = 56
	authenticateLen = 64
	micOffset       = 72
	micEnd          = 88
	proofLen        = 16
	blobHeader      = 28 // NTLMv2_CLIENT_CHALLENGE before its AvPairs
)

var (
	errNotNTLM  = errors.New("not the NTLM message that is due")
	errPassword = errors.New("wrong password")
)

// opening is a NEGOTIATE_MESSAGE.
type opening struct {
	raw   []byte
	flags uint32
}

func parseNegotiate(raw []byte) (opening, error) {
	if len(raw) < negotiateLen || string(raw[:8]) != signature || binary.LittleEndian.Uint32(raw[8:]) != typeNegotiate {
		return opening{}, errNotNTLM
	}
	return opening{raw: raw, flags: binary.LittleEndian.Uint32(raw[12:])}, nil
}

// acceptor is one handshake and, once it has succeeded, its sealed channel.
type acceptor struct {
	opening   []byte
	challenge []byte
	nonce     [8]byte
	used      bool
	// bound says that the client sent a channel binding token.
	bound   bool
	binding [16]byte
	channel *channel
}

// newAcceptor answers an opening with a challenge for the server name. The
// server presents itself as a machine of its own (assumed: the accounts of a
// domain may be used all the same).
func newAcceptor(name string, o opening) *acceptor {
	a := &acceptor{opening: o.raw}
	_, _ = rand.Read(a.nonce[:]) // never fails [crypto/rand]
	host, _, _ := strings.Cut(name, ".")
	host = strings.ToUpper(host)
	target := encodeUTF16(host)
	info := bytes.Join([][]byte{
		attribute(avDomainName, target),
		attribute(avComputerName, target),
		attribute(avDNSComputerName, encodeUTF16(name)),
		attribute(avTimestamp, fileTime(time.Now())),
		attribute(avEnd, nil),
	}, nil)
	flags := uint32(flagUnicode | flagRequestTarget | flagNTLM | flagAlwaysSign | flagTargetServer |
		flagExtendedSession | flagTargetInfo | flagVersion)
	flags |= o.flags & (flagSign | flagSeal | flag128 | flagKeyExchange | flag56)

	m := make([]byte, challengeLen, challengeLen+len(target)+len(info))
	copy(m, signature)
	binary.LittleEndian.PutUint32(m[8:], typeChallenge)
	putField(m[12:], len(target), challengeLen)
	binary.LittleEndian.PutUint32(m[20:], flags)
	copy(m[24:], a.nonce[:])
	putField(m[40:], len(info), challengeLen+len(target))
	// Version 10.0.17763, NTLM revision 15: Windows Server 2019.
	copy(m[48:], []byte{10, 0, 0x63, 0x45, 0, 0, 0, 15})
	a.challenge = append(append(m, target...), info...)
	return a
}

// acceptToken verifies an AUTHENTICATE_MESSAGE and returns the user. A challenge
// serves once.
func (a *acceptor) acceptToken(raw []byte, password func(string) (string, bool)) (string, error) {
	if a.used {
		return "", errNotNTLM
	}
	a.used = true
	m, err := parseAuthenticate(raw)
	if err != nil {
		return "", err
	}
	name := m.user
	if m.domain != "" {
		name = m.domain + `\` + m.user
	}
	secret, ok := password(name)
	if !ok {
		return "", fmt.Errorf("no account %q", name)
	}
	hash := md4.New() // the NT hash is MD4 [MS-NLMP 3.3.1]
	hash.Write(encodeUTF16(secret))
	response := hmacMD5(hash.Sum(nil), encodeUTF16(strings.ToUpper(m.user)+m.domain))
	if !hmac.Equal(hmacMD5(response, a.nonce[:], m.blob), m.proof) {
		return name, errPassword
	}
	key := hmacMD5(response, m.proof)
	if m.flags&flagKeyExchange != 0 {
		if key, err = rc4Once(key, m.sessionKey); err != nil {
			return "", err
		}
	}
	if err := a.readAttributes(m, key); err != nil {
		return "", err
	}
	a.channel, err = newChannel(m.flags, key)
	return name, err
}

// readAttributes takes the channel binding token from the client's target
// information and checks the integrity code if the client says there is one
// [MS-NLMP 3.2.5.1.2].
func (a *acceptor) readAttributes(m authenticate, key []byte) error {
	for pairs := m.blob[blobHeader:]; len(pairs) >= 4; {
		id, size := binary.LittleEndian.Uint16(pairs), int(binary.LittleEndian.Uint16(pairs[2:]))
		if id == avEnd || 4+size > len(pairs) {
			break
		}
		value := pairs[4 : 4+size]
		switch {
		case id == avChannelBindings && size == len(a.binding):
			copy(a.binding[:], value)
			// All zero means no token [MS-NLMP 2.2.2.1].
			a.bound = a.binding != [16]byte{}
		case id == avFlags && size == 4 && value[0]&avFlagMIC != 0:
			if err := a.checkMIC(m.raw, key); err != nil {
				return err
			}
		}
		pairs = pairs[4+size:]
	}
	return nil
}

func (a *acceptor) checkMIC(raw, key []byte) error {
	if len(raw) < micEnd {
		return errors.New("the message integrity code is missing")
	}
	blank := bytes.Clone(raw)
	clear(blank[micOffset:micEnd])
	if !hmac.Equal(hmacMD5(key, a.opening, a.challenge, blank), raw[micOffset:micEnd]) {
		return errors.New("the handshake was tampered with")
	}
	return nil
}

// authenticateRequest is an AUTHENTICATE_MESSAGE with an NTLMv2 response.
type authenticate struct {
	raw          []byte
	proof, blob  []byte
	domain, user string
	sessionKey   []byte
	flags        uint32
}

func parseAuthenticate(raw []byte) (authenticate, error) {
	if len(raw) < authenticateLen || string(raw[:8]) != signature || binary.LittleEndian.Uint32(raw[8:]) != typeAuthenticate {
		return authenticate{}, errNotNTLM
	}
	m := authenticate{raw: raw, flags: binary.LittleEndian.Uint32(raw[60:])}
	response, domain, user, key := field(raw, 20), field(raw, 28), field(raw, 36), field(raw, 52)
	if len(response) < proofLen+blobHeader {
		return authenticate{}, errors.New("no NTLMv2 response")
	}
	if m.flags&flagUnicode == 0 || m.flags&flagExtendedSession == 0 {
		return authenticate{}, errors.New("no unicode or no extended session security")
	}
	m.proof, m.blob = response[:proofLen], response[proofLen:]
	m.domain, m.user, m.sessionKey = decodeUTF16(domain), decodeUTF16(user), key
	return m, nil
}

// field is the payload that the length and offset at position at describe, or
// nil if it is not within the message.
func field(raw []byte, at int) []byte {
	size, from := int64(binary.LittleEndian.Uint16(raw[at:])), int64(binary.LittleEndian.Uint32(raw[at+4:]))
	if from+size > int64(len(raw)) {
		return nil
	}
	return raw[from : from+size]
}

func putField(at []byte, size, from int) {
	binary.LittleEndian.PutUint16(at, uint16(size))
	binary.LittleEndian.PutUint16(at[2:], uint16(size))
	binary.LittleEndian.PutUint32(at[4:], uint32(from))
}

func attribute(id uint16, value []byte) []byte {
	b := binary.LittleEndian.AppendUint16(nil, id)
	return append(binary.LittleEndian.AppendUint16(b, uint16(len(value))), value...)
}

// fileTime is a FILETIME: 100 nanoseconds since 1601 [MS-DTYP 2.3.3].
func fileTime(t time.Time) []byte {
	return binary.LittleEndian.AppendUint64(nil, uint64(t.UnixNano()/100+116444736000000000))
}

func encodeUTF16(s string) []byte {
	var b []byte
	for _, unit := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return b
}

func decodeUTF16(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}
