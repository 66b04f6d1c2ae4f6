package pwsh_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/pwsh"
	"github.com/farmtrust/farmtrust/internal/farmsim/testfarm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// function matches a function of the prelude with its parameters: one line, or
// lines up to a closing parenthesis.
var function = regexp.MustCompile(`(?m)^function ([\w-]+) \{\n    \[CmdletBinding\([^\n]*\)\]\n    param\(((?:.*\)|\n(?:        .*\n)+    \)))$`)

// functions are those of a text, with their parameters.
func functions(text string) map[string]string {
	found := map[string]string{}
	for _, match := range function.FindAllStringSubmatch(text, -1) {
		found[match[1]] = strings.Join(strings.Fields(match[2]), " ")
	}
	return found
}

// TestStubs_ForWindows checks that each function that needs Windows has a stub
// that takes the same parameters.
func TestStubs_ForWindows(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../powershell/scripts/prelude/windows/*.ps1")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	ships := map[string]string{}
	portable := powershell.PreludeOn("")
	for _, name := range powershell.Scripts() {
		source, err := powershell.Source(name)
		if err != nil {
			t.Fatal(err)
		}
		portable += source
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for name, parameters := range functions(string(source)) {
			// What only replaced functions call needs no stub.
			if regexp.MustCompile(`\b` + name + `\b`).MatchString(portable) {
				ships[name] = parameters
			}
		}
	}
	// The files of the SharePoint task are files there as on Windows.
	stubs := functions(pwsh.Stubs())
	for name, parameters := range ships {
		if diff := cmp.Diff(parameters, stubs[name]); diff != "" {
			t.Errorf("%s (-ships +stub):\n%s", name, diff)
		}
	}
	if len(ships) < 20 {
		t.Errorf("only %d functions were found", len(ships))
	}
}

func TestOperations(t *testing.T) {
	t.Parallel()
	t.Run("every operation has a stub", func(t *testing.T) {
		t.Parallel()
		text := pwsh.Stubs()
		hash, err := os.ReadFile("stubs/hash.ps1")
		if err != nil {
			t.Fatal(err)
		}
		text += string(hash)
		for _, name := range pwsh.OperationNames() {
			if !strings.Contains(text, "function "+name+" {") && !strings.Contains(text, "-Name "+name+" ") {
				t.Errorf("nothing asks for %s", name)
			}
		}
	})
	t.Run("every product cmdlet has an operation", func(t *testing.T) {
		t.Parallel()
		session := testfarm.New(t, model.Policy{}).On(testfarm.Front)
		for _, name := range pwsh.ProductCmdlets() {
			if !pwsh.HasOperation(session, name) {
				t.Errorf("the model has no operation for %s", name)
			}
		}
	})
}
