package powershell

import (
	_ "embed" // for the bootstrap
	"encoding/base64"
	"encoding/binary"
	"strings"
	"unicode/utf16"
)

//go:embed bootstrap.ps1
var bootstrap string

// Exit codes of the bootstrap, for the readers of logs: [ReadResult] goes by the
// lines that are printed with them.
const (
	// ExitBadStdin is the exit code when standard input did not match its hash.
	ExitBadStdin = 97
	// ExitConstrained is the exit code in a constrained language mode.
	ExitConstrained = 98
)

// CommandLine is the command that every call starts on the server. It is the
// same for every call: the script and its parameters come over standard input
// (see [Seal]).
//
// It never contains a value, because event 4688 and script block logging may
// record command lines, and because cmd.exe runs none above 8191 characters.
//
// It names the program by its full path: cmd.exe would look for a bare name in its own
// folder and along PATH, and run as an administrator what others can write there.
func CommandLine() string {
	return `%SystemRoot%\System32\WindowsPowerShell\v1.0\powershell.exe` + " -NoLogo -NoProfile -NonInteractive -InputFormat Text -OutputFormat Text -EncodedCommand " +
		encodeCommand(Bootstrap())
}

// Bootstrap returns the script in [CommandLine], which reads standard input as
// $input.
func Bootstrap() string { return stripComments(bootstrap) }

// encodeCommand encodes a script for -EncodedCommand: base64 of UTF-16LE.
func encodeCommand(script string) string {
	var raw []byte
	for _, unit := range utf16.Encode([]rune(script)) {
		raw = binary.LittleEndian.AppendUint16(raw, unit)
	}
	return base64.StdEncoding.EncodeToString(raw)
}

func stripComments(script string) string {
	var kept []string
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}
