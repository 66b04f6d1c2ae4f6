package powershell

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Fingerprint identifies a text that the logs of a server record, for those who
// must tell it from an attack.
type Fingerprint struct {
	// Of says what it is the fingerprint of.
	Of string `json:"of"`
	// SHA256 is that of the text in UTF-8, in lower-case hexadecimal.
	SHA256 string `json:"sha256"`
}

// proofPlaceholder stands for the thumbprint in the program of the one-shot task.
const proofPlaceholder = "0000000000000000000000000000000000000000"

// Fingerprints returns what this version runs on servers: the command line of every
// call and the script in it, the text that each call sends first, the scripts, and the
// programs of the two tasks. In that of the one-shot task, forty zeroes stand for the
// thumbprint of the certificate.
func Fingerprints() []Fingerprint {
	_, argument, _ := strings.Cut(CommandLine(), " -EncodedCommand ")
	all := []Fingerprint{
		fingerprintOf("the command line of every call", CommandLine()),
		fingerprintOf("its argument of -EncodedCommand", argument),
		fingerprintOf("the same, decoded", Bootstrap()),
		fingerprintOf("the functions of every script", Prelude()),
		fingerprintOf("the one-shot task's -EncodedCommand, decoded, with "+proofPlaceholder+" for the thumbprint", proofProgram()),
	}
	for _, name := range Scripts() {
		all = append(all, fingerprintOf(name, readScript("scripts/"+name+".ps1")))
	}
	return append(all, Fingerprint{Of: "farmtrust-sharepoint.ps1, without its signature", SHA256: HashTask(TaskScript())})
}

func fingerprintOf(what, text string) Fingerprint {
	sum := sha256.Sum256([]byte(text))
	return Fingerprint{Of: what, SHA256: hex.EncodeToString(sum[:])}
}

// proofProgram is the program of the one-shot task, as the prelude has it.
func proofProgram() string {
	_, text, _ := strings.Cut(readScript("scripts/prelude/proof.ps1"), "$FarmTrustProof = {")
	text, _, _ = strings.Cut(text, "\n}\n")
	return text + "\n"
}
