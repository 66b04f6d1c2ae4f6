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

// The prelude is made of these files, in this order.
const (
	portablePrelude = "scripts/prelude"
	windowsPrelude  = "scripts/prelude/windows"
	dispatcher      = "scripts/prelude/dispatch.ps1"
)

// Scripts lists the names of all scripts, sorted.
func Scripts() []string {
	var names []string
	for _, file := range filesIn("scripts") {
		names = append(names, strings.TrimSuffix(path.Base(file), ".ps1"))
	}
	return names
}

// Source returns the text of a script.
func Source(name string) (string, error) {
	if slices.Contains(Scripts(), name) {
		return text("scripts/" + name + ".ps1"), nil
	}
	return "", fmt.Errorf("no script is named %q", name)
}

// Prelude returns what runs before every script: the functions that scripts
// share, and the dispatcher that binds the parameters, runs the script and
// prints its answer.
func Prelude() string { return prelude() }

// prelude is part of every call.
var prelude = sync.OnceValue(func() string { return PreludeOn(joined(filesIn(windowsPrelude))) })

// PreludeOn returns the prelude with the functions that only Windows can run
// (stores, keys, access control, services, processes) replaced by those given.
// Tests and simulations on other systems use it; the rest is what ships.
func PreludeOn(machine string) string {
	var portable []string
	for _, file := range filesIn(portablePrelude) {
		if file != dispatcher {
			portable = append(portable, file)
		}
	}
	return joined(portable) + machine + "\n" + text(dispatcher)
}

func joined(files []string) string {
	var b strings.Builder
	for _, file := range files {
		b.WriteString(text(file))
		b.WriteString("\n")
	}
	return b.String()
}

// filesIn lists the scripts of an embedded folder, sorted.
func filesIn(folder string) []string {
	files, err := fs.Glob(scripts, folder+"/*.ps1")
	if err != nil {
		panic(err) // The pattern is one of the constants above.
	}
	return files
}

func text(file string) string {
	raw, err := scripts.ReadFile(file)
	if err != nil {
		panic(err) // The file was listed, or is embedded by name.
	}
	return string(raw)
}
