package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeys_ARingIsMadeAndItsKeyReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "payloads.keys")
	list := func() keyList {
		t.Helper()
		var l keyList
		got := runProgram(t, "keys", "list", path, "-o", "json")
		got.assertExit(t, exitOK)
		got.assertFits(t, "keys")
		got.readJSON(t, &l)
		return l
	}
	runProgram(t, "keys", "new", path).assertExit(t, exitOK, path+": made", "out:for what is new")
	made := list()
	runProgram(t, "keys", "new", path).assertExit(t, exitUsage, "file exists", "farmtrust keys add "+path)
	runProgram(t, "keys", "new", path, "--keep").assertExit(t, exitOK, path+": kept")
	assertEqual(t, list(), made)
	runProgram(t, "keys", "add", path).assertExit(t, exitOK, "farmtrust keys use "+path+" ", "out:for what is old")
	added := list().Keys[1]
	runProgram(t, "keys", "remove", path, made.Keys[0].ID).assertExit(t, exitUsage, "let another one be that first")
	runProgram(t, "keys", "use", path, added.ID).assertExit(t, exitOK, added.ID+" is used for what is new", "out:"+added.ID)
	assertEqual(t, list(), keyList{File: path, Keys: []listedKey{added, made.Keys[0]}})
	runProgram(t, "keys", "remove", path, made.Keys[0].ID).assertExit(t, exitOK, "removed "+made.Keys[0].ID)
	assertEqual(t, list(), keyList{File: path, Keys: []listedKey{added}})
}

func TestKeys_NothingThatIsPrintedIsAKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "payloads.keys")
	shown := ""
	for _, args := range [][]string{{"new", path}, {"add", path}, {"list", path}, {"list", path, "-o", "json"}, {"use", path, "nobody"}} {
		got := runProgram(t, append([]string{"keys"}, args...)...)
		shown += got.out + got.err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	keys := 0
	for line := range strings.Lines(string(content)) {
		if fields := strings.Fields(line); fields[0] != "#" {
			keys++
			if strings.Contains(shown, fields[1]) {
				t.Errorf("the key %s was printed", fields[0])
			}
		}
	}
	if keys != 2 {
		t.Errorf("the ring holds %d keys", keys)
	}
}

func TestKeys_WrongArguments(t *testing.T) {
	for args, want := range map[string]string{
		"keys":                  "say what to do with which file: farmtrust keys add|list|new|remove|use FILE",
		"keys lost":             `unknown command "lost" for "farmtrust keys"`,
		"keys new":              "give FILE, and nothing else",
		"keys use a":            "give FILE and ID, and nothing else",
		"keys list /no/such":    "/no/such",
		"keys add /no/such":     "/no/such",
		"keys use /no/such abc": "/no/such",
	} {
		runProgram(t, strings.Fields(args)...).assertExit(t, exitUsage, want)
	}
}
