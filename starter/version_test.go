package main

import (
	"runtime"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/version"
)

func TestVersion(t *testing.T) {
	t.Run("text", func(t *testing.T) {
		runProgram(t, "version").assertExit(t, exitOK, "out:"+programName+" ", "out:"+runtime.Version())
	})
	t.Run("json", func(t *testing.T) {
		var got version.Info
		runProgram(t, "version", "-o", "json").readJSON(t, &got)
		if got != version.Read() {
			t.Errorf("got %+v, want %+v", got, version.Read())
		}
	})
	t.Run("arguments", func(t *testing.T) {
		runProgram(t, "version", "contoso").assertExit(t, exitUsage, `unknown command "contoso"`)
	})
}

func TestHelpNamesTheProgramAsItWasCalled(t *testing.T) {
	for _, called := range []string{"ft", callOf("starter")} {
		root := (&app{}).newRoot()
		name := root.Name()
		renameProgram(root, called)
		for _, c := range withSubcommands(root) {
			if help := c.Long + "\n" + c.UsageString(); strings.Contains(help, "  "+name+" ") || !strings.Contains(help, "\n  "+called+" ") {
				t.Errorf("%s: the help names another program:\n%s", c.CommandPath(), help)
			}
		}
	}
}
