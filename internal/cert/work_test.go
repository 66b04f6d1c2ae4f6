package cert

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"
)

// oidScrypt derives keys from passwords too; RFC 7914, section 7.
var oidScrypt = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}

// The work that a PFX demands is done before its password is known to be right: anybody who
// can put a file into a folder of certificates could keep a worker busy for ever.
func TestLoad_BoundsWork(t *testing.T) {
	const endless = 2_000_000_000
	demand := func(iterations int) func(*pbes2Params, *pbkdf2Params) {
		return func(_ *pbes2Params, d *pbkdf2Params) { d.Iterations = iterations }
	}
	scrypt := func(p *pbes2Params, _ *pbkdf2Params) { p.Derivation.Algorithm = oidScrypt }
	for name, c := range map[string]struct {
		change func(*testing.T, *pfxFile, []contentInfo)
		want   string
	}{
		"a MAC with endless work": {changeMAC(demand(endless)), "2000000000 iterations of its MAC"},
		"a MAC without work":      {changeMAC(demand(0)), "0 iterations of its MAC"},
		"a MAC by scrypt":         {changeMAC(scrypt), "its MAC: a key derived by the unknown algorithm 1.3.6.1.4.1.11591.4.11"},
		"certificates with endless work": {
			changeCertificates(demand(endless)), "2000000000 iterations of its certificates",
		},
		"certificates by scrypt": {
			changeCertificates(scrypt), "its certificates: a key derived by the unknown algorithm 1.3.6.1.4.1.11591.4.11",
		},
		"a key with endless work": {changeKey(demand(endless)), "2000000000 iterations of its key"},
		"a key by scrypt":         {changeKey(scrypt), "its key: a key derived by the unknown algorithm 1.3.6.1.4.1.11591.4.11"},
		"one above the bound":     {changeKey(demand(maxIterations + 1)), "1000001 iterations of its key"},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			_, err := Load(t.Context(), changeModern(t, c.change), []byte("password"))
			if !errors.Is(err, ErrUnreadable) || !strings.Contains(err.Error(), ": "+c.want+": export it again") {
				t.Errorf("got %v; want %s", err, c.want)
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
	t.Run("a second key, inside what is encrypted", func(t *testing.T) {
		pfx := changeModern(t, func(t *testing.T, file *pfxFile, safes []contentInfo) {
			t.Helper()
			other := []contentInfo{{}, safes[1]}
			changeKey(demand(endless))(t, file, other)
			bags, err := other[1].readBags()
			if err != nil {
				t.Fatal(err)
			}
			hide(t, &safes[0], bags[0])
			if err := file.MacData.signContent(mustMarshal(t, safes), []byte("password")); err != nil {
				t.Fatal(err)
			}
		})
		_, err := Load(t.Context(), pfx, []byte("password"))
		if !errors.Is(err, ErrUnreadable) || !strings.Contains(err.Error(), "exactly one key") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("what is not changed is read", func(t *testing.T) {
		pfx := changeModern(t, func(*testing.T, *pfxFile, []contentInfo) {})
		if _, err := Load(t.Context(), pfx, []byte("password")); err != nil {
			t.Error(err)
		}
	})
	t.Run("a context that is done ends it before it begins", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Load(ctx, changeModern(t, func(*testing.T, *pfxFile, []contentInfo) {}), []byte("password")); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestIsStrong(t *testing.T) {
	bundle, err := SelfSigned("OOS S2S", time.Now(), time.Hour, 1024)
	if err != nil {
		t.Fatal(err)
	}
	strong, err := bundle.EncodeAtRest([]byte("password"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := bundle.key()
	if err != nil {
		t.Fatal(err)
	}
	weak := map[string][]byte{"no PFX": []byte("no PFX"), "as for an import": nil}
	if weak["as for an import"], err = bundle.Encode(buildAES, "provider", []byte("password")); err != nil {
		t.Fatal(err)
	}
	for name, encoder := range map[string]*pkcs12.Encoder{
		"3DES": pkcs12.LegacyDES, "a MAC of the old kind": pkcs12.Modern2023.WithIterations(atRestIterations), "few iterations": pkcs12.Modern2026.WithIterations(atRestIterations - 1),
	} {
		if weak[name], err = encoder.Encode(key, bundle.leaf, nil, "password"); err != nil {
			t.Fatal(err)
		}
	}
	if !IsStrong(strong) {
		t.Error("what is made for a file is weak")
	}
	for name, pfx := range weak {
		if IsStrong(pfx) {
			t.Errorf("%s counts as strong", name)
		}
	}
	if got, err := Load(t.Context(), strong, []byte("password")); err != nil || got.Certificate.Thumbprint != bundle.Certificate.Thumbprint {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := Load(t.Context(), strong, []byte("wrong")); !errors.Is(err, ErrPassword) {
		t.Errorf("with another password: %v", err)
	}
}

// changeModern changes a PFX with PBES2 and PBMAC1.
func changeModern(t *testing.T, change func(*testing.T, *pfxFile, []contentInfo)) []byte {
	t.Helper()
	bundle, err := SelfSigned("OOS S2S", time.Now(), time.Hour, 1024)
	if err != nil {
		t.Fatal(err)
	}
	key, err := bundle.key()
	if err != nil {
		t.Fatal(err)
	}
	der, err := pkcs12.Modern2026.Encode(key, bundle.leaf, nil, "password")
	if err != nil {
		t.Fatal(err)
	}
	file, safes, err := openPFX(der)
	if err != nil {
		t.Fatal(err)
	}
	change(t, &file, safes)
	if file.AuthSafe, err = dataContent(mustMarshal(t, safes)); err != nil {
		t.Fatal(err)
	}
	return mustMarshal(t, file)
}

func changeMAC(how func(*pbes2Params, *pbkdf2Params)) func(*testing.T, *pfxFile, []contentInfo) {
	return func(t *testing.T, file *pfxFile, _ []contentInfo) {
		t.Helper()
		changeDerivation(t, &file.MacData.Mac.Algorithm, how)
	}
}

func changeCertificates(how func(*pbes2Params, *pbkdf2Params)) func(*testing.T, *pfxFile, []contentInfo) {
	return func(t *testing.T, _ *pfxFile, safes []contentInfo) {
		t.Helper()
		var content encryptedData
		if err := unmarshalExactly(safes[0].Content.Bytes, &content); err != nil {
			t.Fatal(err)
		}
		changeDerivation(t, &content.Content.Algorithm, how)
		safes[0].Content = asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: mustMarshal(t, content)}
	}
}

// hide puts a bag into a part that is encrypted by PBES2 with AES.
func hide(t *testing.T, safe *contentInfo, bag safeBag) {
	t.Helper()
	var data encryptedData
	var params pbes2Params
	var derivation pbkdf2Params
	var iv []byte
	for _, part := range []struct {
		der func() []byte
		to  any
	}{
		{func() []byte { return safe.Content.Bytes }, &data},
		{func() []byte { return data.Content.Algorithm.Parameters.FullBytes }, &params},
		{func() []byte { return params.Derivation.Parameters.FullBytes }, &derivation},
		{func() []byte { return params.Scheme.Parameters.FullBytes }, &iv},
	} {
		if err := unmarshalExactly(part.der(), part.to); err != nil {
			t.Fatal(err)
		}
	}
	key, err := pbkdf2.Key(sha256.New, "password", derivation.Salt.Bytes, derivation.Iterations, 32)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	text := slices.Clone(data.Content.Encrypted.Bytes)
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(text, text)
	var bags []safeBag
	if err := unmarshalExactly(text[:len(text)-int(text[len(text)-1])], &bags); err != nil {
		t.Fatal(err)
	}
	text = mustMarshal(t, append(bags, bag))
	padding := aes.BlockSize - len(text)%aes.BlockSize
	text = append(text, bytes.Repeat([]byte{byte(padding)}, padding)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(text, text)
	data.Content.Encrypted = asn1.RawValue{Class: asn1.ClassContextSpecific, Bytes: text}
	safe.Content = asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: mustMarshal(t, data)}
}

func changeKey(how func(*pbes2Params, *pbkdf2Params)) func(*testing.T, *pfxFile, []contentInfo) {
	return func(t *testing.T, _ *pfxFile, safes []contentInfo) {
		t.Helper()
		bags, err := safes[1].readBags()
		if err != nil || len(bags) != 1 {
			t.Fatalf("got %d bags, %v", len(bags), err)
		}
		var key encryptedKey
		if err := unmarshalExactly(bags[0].Value.Bytes, &key); err != nil {
			t.Fatal(err)
		}
		changeDerivation(t, &key.Algorithm, how)
		bags[0].Value = asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: mustMarshal(t, key)}
		if safes[1], err = dataContent(mustMarshal(t, bags)); err != nil {
			t.Fatal(err)
		}
	}
}

// changeDerivation changes how the key of PBES2 or PBMAC1 is derived.
func changeDerivation(t *testing.T, algorithm *pkix.AlgorithmIdentifier, how func(*pbes2Params, *pbkdf2Params)) {
	t.Helper()
	var params pbes2Params
	if err := unmarshalExactly(algorithm.Parameters.FullBytes, &params); err != nil {
		t.Fatal(err)
	}
	var derivation pbkdf2Params
	if err := unmarshalExactly(params.Derivation.Parameters.FullBytes, &derivation); err != nil {
		t.Fatal(err)
	}
	how(&params, &derivation)
	params.Derivation.Parameters = asn1.RawValue{FullBytes: mustMarshal(t, derivation)}
	algorithm.Parameters = asn1.RawValue{FullBytes: mustMarshal(t, params)}
}

func mustMarshal(t *testing.T, value any) []byte {
	t.Helper()
	der, err := asn1.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
