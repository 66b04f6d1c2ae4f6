package ntlm

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The values of [MS-NLMP] 4.2.4, which are of Microsoft.
const (
	publishedNonce  = "0123456789abcdef"
	publishedKey    = "0c868a403bfd7a93a3001ef22ef02e3f"
	publishedProof  = "68cd0ab851e51c96aabc927bebef6a1c"
	publishedBase   = "8de40ccadbc14a82f15cb0ad0de95ca3"
	publishedClient = "aaaaaaaaaaaaaaaa"
	publishedInfo   = "02000c0044006f006d00610069006e0001000c005300650072007600650072000000" + "0000"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAuthenticate_ComputesWhatMicrosoftPublishes(t *testing.T) {
	key := responseKey("User", "Domain", []byte("Password"))
	blob := join(unhex(t, "0101000000000000"), make([]byte, 8), unhex(t, publishedClient), make([]byte, 4), unhex(t, publishedInfo), make([]byte, 4))
	proof := code(key, unhex(t, publishedNonce), blob)
	got := []string{hex.EncodeToString(key), hex.EncodeToString(proof), hex.EncodeToString(code(key, proof))}
	if diff := cmp.Diff([]string{publishedKey, publishedProof, publishedBase}, got); diff != "" {
		t.Errorf("key, proof and session key (-published +computed):\n%s", diff)
	}
}

// testChallenge is a challenge of a server with this target information.
func testChallenge(flags uint32, pairs ...avPair) []byte {
	m := make([]byte, challengeLength)
	copy(m, signature)
	binary.LittleEndian.PutUint32(m[8:], typeChallenge)
	binary.LittleEndian.PutUint32(m[20:], flags)
	copy(m[24:], "01234567")
	var info []byte
	for _, p := range pairs {
		info = appendPair(info, p.id, p.value)
	}
	if len(pairs) > 0 {
		info = appendPair(info, avEnd, nil)
	}
	binary.LittleEndian.PutUint16(m[40:], uint16(len(info)))
	binary.LittleEndian.PutUint16(m[42:], uint16(len(info)))
	binary.LittleEndian.PutUint32(m[44:], challengeLength)
	return append(m, info...)
}

var (
	ofServer  = avPair{1, encodeText("OOS-01")}
	timestamp = avPair{avTimestamp, []byte("12345678")}
	// windows are flags as Windows sends them.
	windows = uint32(flagUnicode | flagNTLM | flagExtendedSession | flagTargetInfo | flagAlwaysSign | flagVersion | flag128)
	client  = Client{User: `CONTOSO\svc-oos`, Password: []byte("Password"), Target: "HTTP/oos-01.contoso.com", Bindings: []byte("tls-server-end-point:hash")}
)

// readField returns a field of an AUTHENTICATE_MESSAGE.
func readField(m []byte, at int) []byte {
	size, from := binary.LittleEndian.Uint16(m[at:]), binary.LittleEndian.Uint32(m[at+4:])
	return m[from : from+uint32(size)]
}

func TestAuthenticate_IsForOneServerAndOneConnection(t *testing.T) {
	offer := Negotiate()
	challenge := testChallenge(windows, ofServer, avPair{avTargetName, encodeText("HTTP/other")}, timestamp)
	m, err := Authenticate(offer, challenge, client)
	if err != nil {
		t.Fatal(err)
	}
	if lm := readField(m, 12); !bytes.Equal(lm, make([]byte, 24)) {
		t.Errorf("the LM response is %x, want 24 zero bytes", lm)
	}
	nt := readField(m, 20)
	pairs, err := readPairs(nt[16+28:])
	if err != nil {
		t.Fatal(err)
	}
	said := map[uint16][]byte{}
	for _, p := range pairs {
		said[p.id] = p.value
	}
	want := map[uint16][]byte{
		1: ofServer.value, avTimestamp: timestamp.value, avFlags: {avFlagMIC, 0, 0, 0},
		avTargetName: encodeText("HTTP/oos-01.contoso.com"), avChannelBindings: bindingsHash(client.Bindings),
	}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("target information (-want +got):\n%s", diff)
	}
	blank := bytes.Clone(m)
	clear(blank[micAt : micAt+16])
	key := code(responseKey("svc-oos", "CONTOSO", client.Password), nt[:16])
	if !bytes.Equal(m[micAt:micAt+16], code(key, offer, challenge, blank)) {
		t.Error("the integrity code does not fit the three messages")
	}
	again, err := Authenticate(offer, challenge, client)
	if err != nil || bytes.Equal(readField(again, 20), nt) {
		t.Errorf("the same proof is made twice (%v)", err)
	}
}

func TestAuthenticate_RefusesWhatAProofCouldBeRelayedFor(t *testing.T) {
	for _, c := range []struct {
		name      string
		challenge []byte
		says      string
	}{
		{"no target information", testChallenge(windows), "no target information"},
		{"no flag of target information", testChallenge(windows&^flagTargetInfo, ofServer, timestamp), "no target information"},
		{"no timestamp", testChallenge(windows, ofServer), "no timestamp"},
		{"a short timestamp", testChallenge(windows, avPair{avTimestamp, []byte("1")}), "no timestamp"},
		{"two timestamps", testChallenge(windows, timestamp, timestamp), "twice"},
		{"no extended session security", testChallenge(windows&^flagExtendedSession, ofServer, timestamp), "extended session security"},
		{"no Unicode", testChallenge(windows&^flagUnicode, ofServer, timestamp), "Unicode"},
		{"no end", testChallenge(windows, timestamp)[:challengeLength+12], "no target information"},
		{"too long", append(testChallenge(windows, timestamp), make([]byte, maxChallenge)...), "not the message"},
		{"empty", nil, "not the message"},
		{"an offer", Negotiate(), "not the message"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := Authenticate(Negotiate(), c.challenge, client)
			if !errors.Is(err, ErrChallenge) || !strings.Contains(err.Error(), c.says) || m != nil {
				t.Errorf("it ends with %x and %v; want an error that says %q", m, err, c.says)
			}
		})
	}
}

// Whatever a server sends as a challenge ends as a message or an error, and no message
// has an LM response.
func FuzzAuthenticate(f *testing.F) {
	f.Add(testChallenge(windows, ofServer, timestamp))
	f.Add(testChallenge(windows))
	f.Add([]byte(signature))
	f.Fuzz(func(t *testing.T, challenge []byte) {
		m, err := Authenticate(Negotiate(), challenge, client)
		switch {
		case err != nil && !errors.Is(err, ErrChallenge):
			t.Error(err)
		case err == nil && !bytes.Equal(readField(m, 12), make([]byte, lmLength)):
			t.Errorf("an LM response: %x", m)
		}
	})
}
