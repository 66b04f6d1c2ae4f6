package wsman

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rc4"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
)

// channel signs and seals the messages of one connection [MS-NLMP 3.4].
type channel struct {
	flags    uint32
	in, out  *rc4.Cipher
	inSign   []byte
	outSign  []byte
	inCount  uint32
	outCount uint32
}

func newChannel(flags uint32, key []byte) (*channel, error) {
	derive := func(purpose string) []byte {
		return md5Sum(key, []byte("session key to "+purpose+" key magic constant\x00"))
	}
	in, err := rc4.NewCipher(derive("client-to-server sealing"))
	if err != nil {
		return nil, err
	}
	out, err := rc4.NewCipher(derive("server-to-client sealing"))
	if err != nil {
		return nil, err
	}
	return &channel{
		flags: flags, in: in, out: out,
		inSign:  derive("client-to-server signing"),
		outSign: derive("server-to-client signing"),
	}, nil
}

// canSeal says that the handshake agreed on sealing with full-strength keys;
// Windows clients ask for nothing less.
func (c *channel) canSeal() bool {
	const need = flagSeal | flag128
	return c.flags&need == need
}

const signatureLen = 16

// signMessage is the signature of a message with extended session security
// [MS-NLMP 3.4.4.2].
func (c *channel) signMessage(cipher *rc4.Cipher, key []byte, count uint32, message []byte) []byte {
	number := binary.LittleEndian.AppendUint32(nil, count)
	sum := hmacMD5(key, number, message)[:8]
	if c.flags&flagKeyExchange != 0 {
		cipher.XORKeyStream(sum, sum)
	}
	return bytes.Join([][]byte{{1, 0, 0, 0}, sum, number}, nil)
}

func (c *channel) sealMessage(message []byte) []byte {
	sealed := make([]byte, len(message))
	c.out.XORKeyStream(sealed, message)
	s := c.signMessage(c.out, c.outSign, c.outCount, message)
	c.outCount++
	return append(s, sealed...)
}

var errSealed = errors.New("the sealed message cannot be opened")

func (c *channel) openMessage(sealed []byte) ([]byte, error) {
	if len(sealed) < signatureLen {
		return nil, errSealed
	}
	message := make([]byte, len(sealed)-signatureLen)
	c.in.XORKeyStream(message, sealed[signatureLen:])
	if !hmac.Equal(c.signMessage(c.in, c.inSign, c.inCount, message), sealed[:signatureLen]) {
		return nil, errSealed
	}
	c.inCount++
	return message, nil
}

// The multipart of a sealed message [MS-WSMV 2.2.9.1]. It is not quite MIME:
// the headers of its parts begin with a tab and no empty line follows them.
const (
	sealedType   = `multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted";boundary="Encrypted Boundary"`
	boundary     = "--Encrypted Boundary"
	protocolLine = "Content-Type: application/HTTP-SPNEGO-session-encrypted"
	lengthPrefix = "OriginalContent: type=application/soap+xml;charset=UTF-8;Length="
	payloadLine  = "Content-Type: application/octet-stream"
)

// wrapSealed puts a sealed message of the given original length in its parts.
func wrapSealed(sealed []byte, length int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\r\n\t%s\r\n\t%s%d\r\n", boundary, protocolLine, lengthPrefix, length)
	fmt.Fprintf(&b, "%s\r\n\t%s\r\n", boundary, payloadLine)
	b.Write(binary.LittleEndian.AppendUint32(nil, signatureLen))
	b.Write(sealed)
	b.WriteString(boundary + "--\r\n")
	return b.Bytes()
}

// unwrapSealed returns signature and sealed message. Leading white space of a
// header is optional, since clients differ.
func unwrapSealed(body []byte) ([]byte, error) {
	length := -1
	for _, want := range []string{boundary, protocolLine, lengthPrefix, boundary, payloadLine} {
		line, rest, found := bytes.Cut(body, []byte("\r\n"))
		value, ok := bytes.CutPrefix(bytes.TrimLeft(line, " \t"), []byte(want))
		if !found || !ok {
			return nil, errSealed
		}
		if want == lengthPrefix {
			n, err := strconv.Atoi(string(value))
			if err != nil || n < 0 {
				return nil, errSealed
			}
			length = n
		} else if len(value) > 0 {
			return nil, errSealed
		}
		body = rest
	}
	body = bytes.TrimSuffix(bytes.TrimSuffix(body, []byte("\r\n")), []byte(boundary+"--"))
	if len(body) < 4+signatureLen || binary.LittleEndian.Uint32(body) != signatureLen || len(body)-4-signatureLen != length {
		return nil, errSealed
	}
	return body[4:], nil
}

func hmacMD5(key []byte, parts ...[]byte) []byte {
	h := hmac.New(md5.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

func md5Sum(parts ...[]byte) []byte {
	h := md5.New()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

func rc4Once(key, data []byte) ([]byte, error) {
	if len(data) != 16 {
		return nil, errors.New("the session key is missing")
	}
	c, err := rc4.NewCipher(key)
	if err != nil {
		return nil, err
	}
	out := make([]byte, len(data))
	c.XORKeyStream(out, data)
	return out, nil
}
