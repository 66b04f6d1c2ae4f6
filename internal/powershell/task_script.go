package powershell

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// The SharePoint task is a scheduled task on a front end whose sessions cannot
// reach SQL Server. An administrator registers it under an account that can.
// Its one fixed script contains the text of the scripts in taskVerbs, and runs
// nothing else.
var taskVerbs = []string{"Add-RootAuthority", "Get-SharePointFarm", "Remove-RootAuthority", "Restore-TrustedIssuer", "Set-TrustedIssuer"}

// TaskVerbs returns the names of the scripts that the SharePoint task runs, sorted.
func TaskVerbs() []string { return slices.Clone(taskVerbs) }

// taskFunctions are the parts of the prelude that the verbs need, and no more,
// because an administrator reads what is signed.
var taskFunctions = []string{
	"scripts/prelude/common.ps1", "scripts/prelude/result.ps1", "scripts/prelude/hash.ps1",
	"scripts/prelude/public.ps1", "scripts/prelude/machine.ps1", "scripts/prelude/mutex.ps1", "scripts/prelude/sharepoint.ps1",
}

// taskMachine are the parts of the prelude for Windows that the verbs need.
var taskMachine = []string{
	"scripts/prelude/windows/machine.ps1", "scripts/prelude/windows/mutex.ps1", "scripts/prelude/windows/sharepoint.ps1",
}

// taskParts are the parts that only the task's script has, before its verbs.
var taskParts = []string{"scripts/task/rights.ps1", "scripts/task/validate.ps1", "scripts/task/queue.ps1"}

// TaskScript returns the script of the SharePoint task, as it is signed and
// installed.
func TaskScript() string {
	return TaskScriptOn(concatFiles(taskMachine))
}

// TaskScriptOn returns the task's script with machine in place of the functions
// that only Windows can run, as [PreludeOn] does.
func TaskScriptOn(machine string) string {
	parts := []string{readScript("scripts/task/head.ps1"), concatFiles(taskFunctions) + machine}
	for _, file := range taskParts {
		parts = append(parts, readScript(file))
	}
	parts = append(parts, "# The verbs: the text of farmtrust's own scripts.\n$FarmTrustVerbs = @{}\n")
	for _, name := range taskVerbs {
		parts = append(parts, fmt.Sprintf("$FarmTrustVerbs['%s'] = {\n%s}\n", name, readScript("scripts/"+name+".ps1")))
	}
	return strings.Join(append(parts, readScript("scripts/task/run.ps1")), "\n")
}

// TaskFiles returns the one part of the prelude for Windows that runs on any
// system: the functions that write requests for the task and read its results.
func TaskFiles() string { return readScript("scripts/prelude/windows/task.ps1") }

// TaskInstaller returns the script that installs the SharePoint task.
func TaskInstaller() string { return TaskInstallerOn(readScript("scripts/install/windows.ps1")) }

// TaskInstallerOn returns the installer with machine in place of the functions
// that only Windows can run.
func TaskInstallerOn(machine string) string {
	return strings.Join([]string{
		readScript("scripts/install/head.ps1"), readScript("scripts/prelude/hash.ps1"), machine, readScript("scripts/install/run.ps1"),
	}, "\n")
}

// signatureBlock is what a signature adds at the end of a script: comments, and in them
// nothing but base64.
//
// Source: Microsoft, about_Signing.
var signatureBlock = regexp.MustCompile(`\n# SIG # Begin signature block\n(?:# [A-Za-z0-9+/]+={0,2}\n)+# SIG # End signature block$`)

// HashTask returns the hash that identifies a version of the task's script: the
// SHA-256 of its text without line ends that differ by system and without a
// signature at its end, in lower-case hexadecimal. It is the prelude's Get-ScriptHash.
func HashTask(script string) string {
	script = strings.TrimRightFunc(strings.ReplaceAll(script, "\r\n", "\n"), unicode.IsSpace)
	script = signatureBlock.ReplaceAllString(script, "")
	sum := sha256.Sum256([]byte(strings.TrimRightFunc(script, unicode.IsSpace)))
	return hex.EncodeToString(sum[:])
}
