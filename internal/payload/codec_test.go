package payload_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/farmtrust/farmtrust/internal/keyring"
	"github.com/farmtrust/farmtrust/internal/payload"
)

// marker stands in what is encrypted, and must not be found in what Temporal gets.
const marker = "oos-01.contoso.com"

// ring makes a key ring, and returns the file and the ring that follows it.
func ring(t *testing.T) (string, *keyring.Ring) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "payloads.keys")
	if err := keyring.Create(path); err != nil {
		t.Fatal(err)
	}
	r, err := keyring.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, r
}

func newCodec(r *keyring.Ring) converter.PayloadCodec {
	return payload.NewCodec(payload.Options{Keys: r})
}

// encode encrypts one payload.
func encode(t *testing.T, c converter.PayloadCodec, p *commonpb.Payload) *commonpb.Payload {
	t.Helper()
	encoded, err := c.Encode([]*commonpb.Payload{p})
	if err != nil || len(encoded) != 1 {
		t.Fatalf("%d payloads, %v", len(encoded), err)
	}
	return encoded[0]
}

func decode(c converter.PayloadCodec, p *commonpb.Payload) (*commonpb.Payload, error) {
	decoded, err := c.Decode([]*commonpb.Payload{p})
	if err != nil {
		return nil, err
	}
	return decoded[0], nil
}

func payloadOf(t *testing.T, value any) *commonpb.Payload {
	t.Helper()
	p, err := converter.GetDefaultDataConverter().ToPayload(value)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCodec_EveryKindOfPayloadComesBackAndShowsNothing(t *testing.T) {
	c := newCodec(keyring.Generated())
	random := make([]byte, 1000)
	_, _ = rand.Read(random)
	for name, value := range map[string]any{
		"nothing": nil, "text": marker, "bytes": []byte(marker), "random": random, "empty": "", "number": 7,
		"a page": strings.Repeat(marker+" signs; ", 2000), "proto": &commonpb.WorkflowExecution{WorkflowId: marker},
	} {
		plain := payloadOf(t, value)
		encrypted := encode(t, c, plain)
		wire, err := proto.Marshal(encrypted)
		if err != nil || bytes.Contains(wire, []byte(marker)) || bytes.Contains(wire, []byte("json/plain")) {
			t.Errorf("%s: it shows what it holds: %q, %v", name, wire, err)
		}
		if grown := len(wire) - proto.Size(plain); grown > 120 {
			t.Errorf("%s: %d bytes more", name, grown)
		}
		back, err := decode(c, encrypted)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(plain, back, protocmp.Transform()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestCodec_EncryptsTheSamePayloadDifferentlyEachTime(t *testing.T) {
	c, p := newCodec(keyring.Generated()), payloadOf(t, marker)
	if bytes.Equal(encode(t, c, p).Data, encode(t, c, p).Data) {
		t.Error("anybody who reads them can tell that they are the same")
	}
}

func TestCodec_CompressesBeforeItEncrypts(t *testing.T) {
	page := strings.Repeat(`{"host":"oos-01.contoso.com","thumbprint":"DB0FEA9B641F3814FC5168AE83EF7839AF1BB012"}`, 1000)
	if got := len(encode(t, newCodec(keyring.Generated()), payloadOf(t, page)).Data); got > len(page)/10 {
		t.Errorf("%d bytes of %d", got, len(page))
	}
}

func TestCodec_KeysAreReplacedWhileEveryoneReads(t *testing.T) {
	path, r := ring(t)
	c := newCodec(r)
	old := encode(t, c, payloadOf(t, "old"))
	id, err := keyring.Add(path)
	if err != nil {
		t.Fatal(err)
	}
	if between := encode(t, c, payloadOf(t, "between")); string(between.Metadata["encryption-key-id"]) == id {
		t.Error("the new key is used before it is the first one")
	}
	if err := keyring.Use(path, id); err != nil {
		t.Fatal(err)
	}
	recent := encode(t, c, payloadOf(t, "new"))
	if string(recent.Metadata["encryption-key-id"]) != id {
		t.Errorf("encrypted with %s", recent.Metadata["encryption-key-id"])
	}
	for _, p := range []*commonpb.Payload{old, recent} {
		if _, err := decode(c, p); err != nil {
			t.Error(err)
		}
	}
	_, behind := ring(t)
	var unknown *payload.KeyError
	if _, err := decode(newCodec(behind), recent); !errors.As(err, &unknown) || unknown.KeyID != id || !errors.Is(err, payload.ErrUnknownKey) {
		t.Errorf("a reader without the new key: %v", err)
	}
}

func TestCodec_WhatWeHaveNotEncryptedIsRefused(t *testing.T) {
	_, ours := ring(t)
	_, theirs := ring(t)
	c := newCodec(ours)
	good := encode(t, c, payloadOf(t, marker))
	for name, forge := range map[string]func(p *commonpb.Payload){
		"a bit of its content": func(p *commonpb.Payload) { p.Data[len(p.Data)/2] ^= 1 },
		"a bit of its nonce":   func(p *commonpb.Payload) { p.Data[0] ^= 1 },
		"its last byte is cut": func(p *commonpb.Payload) { p.Data = p.Data[:len(p.Data)-1] },
		"empty":                func(p *commonpb.Payload) { p.Data = nil },
		"another key's content": func(p *commonpb.Payload) {
			p.Data = encode(t, newCodec(theirs), payloadOf(t, marker)).Data
		},
	} {
		p := proto.Clone(good).(*commonpb.Payload)
		forge(p)
		if got, err := decode(c, p); !errors.Is(err, payload.ErrAltered) || !strings.Contains(err.Error(), ours.First().ID) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := decode(c, payloadOf(t, marker)); !errors.Is(err, payload.ErrClear) {
		t.Errorf("in clear: %v", err)
	}
	if got, err := decode(payload.NewCodec(payload.Options{Keys: ours, AcceptClear: true}), payloadOf(t, marker)); err != nil || string(got.Data) != `"`+marker+`"` {
		t.Errorf("in clear while that is accepted: %v, %v", got, err)
	}
	if _, err := decode(payload.NewCodec(payload.Options{}), good); !errors.Is(err, payload.ErrNoKeys) || !strings.Contains(err.Error(), ours.First().ID) {
		t.Errorf("without keys: %v", err)
	}
}

// The ID of the key is authenticated: the same key under two IDs does not read what says
// that it is of the other one.
func TestCodec_TheKeyThatAPayloadNamesIsTheOneThatItWasEncryptedWith(t *testing.T) {
	_, r := ring(t)
	p := encode(t, newCodec(r), payloadOf(t, marker))
	p.Metadata["encryption-key-id"] = []byte("another\x1b[2J")
	_, err := decode(newCodec(r), p)
	if !errors.Is(err, payload.ErrUnknownKey) || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("%q", err)
	}
}

func TestCodec_AnAnswerThatWouldFillTheMemoryIsRefused(t *testing.T) {
	c := newCodec(keyring.Generated())
	p := encode(t, c, &commonpb.Payload{Data: make([]byte, 33<<20)})
	if len(p.Data) > 1<<20 {
		t.Fatalf("the bomb has %d bytes", len(p.Data))
	}
	if _, err := decode(c, p); err == nil || !strings.Contains(err.Error(), "more than 33554432 bytes") {
		t.Errorf("%v", err)
	}
}

func FuzzCodec_Decode(f *testing.F) {
	r := keyring.Generated()
	c := payload.NewCodec(payload.Options{Keys: r})
	encoded, err := c.Encode([]*commonpb.Payload{{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(`"x"`)}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("binary/encrypted"), []byte(r.First().ID), encoded[0].Data)
	f.Add([]byte("json/plain"), []byte(nil), []byte(`"x"`))
	f.Fuzz(func(t *testing.T, encoding, id, data []byte) {
		p := &commonpb.Payload{Metadata: map[string][]byte{"encoding": encoding, "encryption-key-id": id}, Data: data}
		if got, err := decode(c, p); err == nil && !bytes.Equal(data, encoded[0].Data) {
			t.Errorf("%q was taken for ours: %v", data, got)
		}
	})
}
