package main

import (
	"testing"

	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestUndo(t *testing.T) {
	for name, c := range map[string]struct {
		flags []string
		want  string
	}{
		"in the window":          {nil, `contoso {"kind":"undo","by":"ada","reason":"refresh fails"}`},
		"now, whatever the hour": {[]string{"--now"}, `contoso {"kind":"undo","now":true,"by":"ada","reason":"refresh fails"}`},
	} {
		t.Run(name, func(t *testing.T) {
			rolledBack := ending{result: testReport("contoso", farm.RolledBack)}
			f := startTemporal(t, &fakeTemporal{})
			f.acceptRequests(&rolledBack)
			f.endRun(f.addRotation("contoso"), verified)
			args := append([]string{"undo", "contoso", "--reason", "refresh fails", "--by", "ada"}, c.flags...)
			runProgram(t, args...).assertExit(t, exitOK, "contoso: rotate/contoso undoes the last rotation\n", "out:contoso: rolled back")
			assertEqual(t, f.requests, []string{c.want})
			assertEqual(t, f.decisions, nil)
		})
	}
	t.Run("needs a reason", func(t *testing.T) {
		runProgram(t, "undo", "contoso").assertExit(t, exitUsage, "give the reason, which the report shows: --reason WHY")
	})
}
