package ntlm

import "encoding/binary"

// maxChallenge bounds a challenge, in bytes. One of Windows has a few hundred: names.
const maxChallenge = 4096

// challengeMessage is a CHALLENGE_MESSAGE (2.2.1.2).
type challengeMessage struct {
	flags     uint32
	nonce     []byte
	info      []avPair
	timestamp []byte
}

// avPair is something that a server says about itself.
type avPair struct {
	id    uint16
	value []byte
}

// readChallenge reads a challenge. One without target information or a timestamp is
// refused: what proves a password to it could be relayed or altered. A server always sends
// a timestamp (2.2.2.1), whose absence is how an older proof would be asked for.
func readChallenge(raw []byte) (challengeMessage, error) {
	if len(raw) < challengeLength || len(raw) > maxChallenge || string(raw[:8]) != signature || binary.LittleEndian.Uint32(raw[8:]) != typeChallenge {
		return challengeMessage{}, refuse("it is not the message that is due")
	}
	m := challengeMessage{flags: binary.LittleEndian.Uint32(raw[20:]), nonce: raw[24:32]}
	const needed = flagUnicode | flagNTLM | flagExtendedSession
	if m.flags&needed != needed {
		return challengeMessage{}, refuse("it does not ask for Unicode, NTLM and extended session security")
	}
	size, from := int(binary.LittleEndian.Uint16(raw[40:])), int64(binary.LittleEndian.Uint32(raw[44:]))
	if m.flags&flagTargetInfo == 0 || size == 0 || from < challengeLength || from+int64(size) > int64(len(raw)) {
		return challengeMessage{}, refuse("it has no target information, without which a proof could be relayed to another server")
	}
	var err error
	if m.info, err = readPairs(raw[from : from+int64(size)]); err != nil {
		return challengeMessage{}, err
	}
	for _, p := range m.info {
		if p.id == avTimestamp && len(p.value) == timestampLength {
			m.timestamp = p.value
		}
	}
	if m.timestamp == nil {
		return challengeMessage{}, refuse("it has no timestamp, without which the exchange could be altered on its way")
	}
	return m, nil
}

// readPairs reads target information to its end mark.
func readPairs(info []byte) ([]avPair, error) {
	var pairs []avPair
	for len(info) >= 4 {
		id, size := binary.LittleEndian.Uint16(info), int(binary.LittleEndian.Uint16(info[2:]))
		if id == avEnd {
			return pairs, nil
		}
		if info = info[4:]; size > len(info) {
			break
		}
		for _, p := range pairs {
			if p.id == id {
				return nil, refuse("its target information says something twice")
			}
		}
		pairs = append(pairs, avPair{id, info[:size]})
		info = info[size:]
	}
	return nil, refuse("its target information has no end")
}
