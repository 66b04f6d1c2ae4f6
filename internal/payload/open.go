package payload

import (
	"github.com/farmtrust/farmtrust/internal/keyring"
)

// KeysVariable is the environment variable that names the file of the key ring for
// payloads, for programs that no configuration tells it.
const KeysVariable = "FARMTRUST_PAYLOAD_KEYS"

// Open returns the options with the key ring of a file; without a file, payloads are in
// clear.
func Open(path string, acceptClear bool) (Options, error) {
	if path == "" {
		return Options{}, nil
	}
	ring, err := keyring.Open(path)
	return Options{Keys: ring, AcceptClear: acceptClear}, err
}
