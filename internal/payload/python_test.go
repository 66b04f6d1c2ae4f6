package payload_test

import (
	"encoding/base64"
	"os/exec"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/keyring"
)

// decryptor decrypts a payload by the format that docs/encryption.md describes, with a
// library that nobody here wrote: the key ring is its argument, the payload its input.
const decryptor = `
import base64, sys, zlib
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
keys = dict(line.split() for line in open(sys.argv[1]) if not line.startswith("#"))
key_id, data = sys.stdin.read().split()
data = base64.b64decode(data)
key = HKDF(hashes.SHA256(), 32, None, b"farmtrust payload 1").derive(base64.b64decode(keys[key_id]))
plain = AESGCM(key).decrypt(data[:12], data[12:], key_id.encode())
sys.stdout.buffer.write(plain[1:] if plain[0] == 0 else zlib.decompress(plain[1:], -15))
`

func TestCodec_TheFormatIsTheOneThatIsDescribed(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil || exec.CommandContext(t.Context(), python, "-c", "import cryptography").Run() != nil {
		t.Skip("no python3 with cryptography")
	}
	path, r := ring(t)
	if _, err := keyring.Add(path); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{marker, strings.Repeat(marker, 100)} {
		p := encode(t, newCodec(r), payloadOf(t, text))
		command := exec.CommandContext(t.Context(), python, "-c", decryptor, path)
		command.Stdin = strings.NewReader(string(p.Metadata["encryption-key-id"]) + " " + base64.StdEncoding.EncodeToString(p.Data))
		out, err := command.CombinedOutput()
		if err != nil || !strings.Contains(string(out), `"`+text+`"`) || !strings.Contains(string(out), "json/plain") {
			t.Errorf("%v\n%s", err, out)
		}
	}
}
