package powershell

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
)

//go:embed scripts
var scripts embed.FS

// Where the files of the prelude are, in their order: all of the first folder
// but the dispatcher, all of the second, the dispatcher.
const (
	portablePrelude = "scripts/prelude"
	windowsPrelude  = "scripts/prelude/windows"
	dispatcher      = "scripts/prelude/dispatch.ps1"
)

// Scripts returns the names of all scripts, sorted.
func Scripts() []string {
	var names []string
	for _, file := range listScripts("scripts") {
		names = append(names, strings.TrimSuffix(path.Base(file), ".ps1"))
	}
	return names
}

// IsChanging reports whether a script changes something on its server, for which it
// holds the server's mutex. [InvokeSharePointTask] does not: the task does.
func IsChanging(script string) bool {
	return !strings.HasPrefix(script, "Get-") && script != ScriptOf(InvokeSharePointTask{})
}

// Source returns the text of a script.
func Source(name string) (string, error) {
	if slices.Contains(Scripts(), name) {
		return readScript("scripts/" + name + ".ps1"), nil
	}
	return "", fmt.Errorf("no script is named %q", name)
}

// Prelude returns the text that runs before every script: the functions that
// scripts share, and the dispatcher, which binds the parameters, runs the script
// and prints its result. It goes with every call, and without the comments of its
// files a call fits into one message less.
func Prelude() string { return prelude() }

var prelude = sync.OnceValue(func() string {
	return withoutComments(PreludeOn(concatFiles(listScripts(windowsPrelude))))
})

// withoutComments leaves out empty lines and those with nothing but a comment. The
// prelude has no text of several lines, in which such a line would mean something.
func withoutComments(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if trimmed := strings.TrimSpace(line); trimmed != "" && !strings.HasPrefix(trimmed, "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// PreludeOn returns the prelude with machine in place of the functions that only
// Windows can run: stores, keys, access control, services, processes. Tests and
// simulations on other systems use it; everything else is what ships.
func PreludeOn(machine string) string {
	var portable []string
	for _, file := range listScripts(portablePrelude) {
		if file != dispatcher {
			portable = append(portable, file)
		}
	}
	return concatFiles(portable) + machine + "\n" + readScript(dispatcher)
}

func concatFiles(files []string) string {
	var b strings.Builder
	for _, file := range files {
		b.WriteString(readScript(file))
		b.WriteString("\n")
	}
	return b.String()
}

// listScripts returns the paths of the scripts in an embedded folder, sorted.
func listScripts(folder string) []string {
	files, err := fs.Glob(scripts, folder+"/*.ps1")
	if err != nil {
		panic(err) // Unreachable: the pattern is valid.
	}
	return files
}

func readScript(file string) string {
	raw, err := scripts.ReadFile(file)
	if err != nil {
		panic(err) // Unreachable: every caller names an embedded file.
	}
	return string(raw)
}
