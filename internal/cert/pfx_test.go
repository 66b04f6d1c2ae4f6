package cert

import (
	"crypto/sha1" //nolint:gosec // see the package
	"crypto/sha256"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"testing"
	"time"
)

// changePFX takes a PFX apart, changes it, and signs it again.
func changePFX(t *testing.T, how func(*pfxFile, []contentInfo)) []byte {
	t.Helper()
	bundle, err := SelfSigned("OOS S2S", time.Now(), time.Hour, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := bundle.Encode(buildAES, "provider", []byte("password"))
	if err != nil {
		t.Fatal(err)
	}
	file, safes, err := openPFX(der)
	if err != nil {
		t.Fatal(err)
	}
	how(&file, safes)
	content, err := asn1.Marshal(safes)
	if err != nil {
		t.Fatal(err)
	}
	if file.AuthSafe, err = dataContent(content); err != nil {
		t.Fatal(err)
	}
	if file.MacData.Iterations <= maxIterations {
		if err := file.MacData.signContent(content, []byte("password")); err != nil {
			t.Fatal(err)
		}
	}
	if der, err = asn1.Marshal(file); err != nil {
		t.Fatal(err)
	}
	return der
}

func TestLoad_Hostile(t *testing.T) {
	t.Run("a PFX with two keys is refused", func(t *testing.T) {
		der := changePFX(t, func(_ *pfxFile, safes []contentInfo) {
			bags, err := safes[1].readBags()
			if err != nil || len(bags) != 1 {
				t.Fatalf("got %d bags, %v", len(bags), err)
			}
			content, err := asn1.Marshal(append(bags, bags[0]))
			if err != nil {
				t.Fatal(err)
			}
			if safes[1], err = dataContent(content); err != nil {
				t.Fatal(err)
			}
		})
		_, err := Load(t.Context(), der, []byte("password"))
		want := "more than one certificate in the PFX: it holds 2 private keys: export one certificate to one file"
		if !errors.Is(err, ErrManyLeaves) || err.Error() != want {
			t.Errorf("got %v; want %s", err, want)
		}
	})

	t.Run("a PFX that demands endless work is refused at once", func(t *testing.T) {
		der := changePFX(t, func(file *pfxFile, _ []contentInfo) { file.MacData.Iterations = 1<<31 - 1 })
		_, err := Load(t.Context(), der, []byte("password"))
		want := "unreadable PFX: 2147483647 iterations of its MAC: export it again with its key and its chain"
		if !errors.Is(err, ErrUnreadable) || err.Error() != want {
			t.Errorf("got %v; want %s", err, want)
		}
	})
}

func TestMACKey(t *testing.T) {
	// The wanted keys are what OpenSSL's PKCS12KDF derives, for id 3.
	for want, got := range map[string][]byte{
		"8d967d88f6caa9d714800ab3d48051d63f73a312":                         macKey(sha1.New, []byte("smeg"), decodeHex(t, "3d83c0e4546ac140"), 1),
		"8dfd4bec007276b4fe68f1a9f245f4fac02cbd97cee0a39735350d430b850b7d": macKey(sha256.New, []byte("smeg"), decodeHex(t, "0a58cf64530d823f"), 2),
	} {
		if hex.EncodeToString(got) != want {
			t.Errorf("got %x; want %s", got, want)
		}
	}
}

func decodeHex(t *testing.T, s string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
