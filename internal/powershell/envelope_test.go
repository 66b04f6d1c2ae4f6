package powershell_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

const nonce = "nonce1234"

func TestCommandLine_FitsEveryShell(t *testing.T) {
	t.Parallel()
	line, ok := strings.CutPrefix(powershell.CommandLine(), `%SystemRoot%\System32\WindowsPowerShell\v1.0\powershell.exe `)
	if !ok {
		t.Error("the program is looked for along PATH")
	}
	if len(line) > 4000 || strings.ContainsAny(line, "\"'%^&|<>\r\n") { // cmd.exe takes 8191 characters.
		t.Errorf("the command line has %d characters, or some that cmd.exe reads: %s", len(line), line)
	}
}

func TestSeal_OpensAsItWas(t *testing.T) {
	t.Parallel()
	secrets := [][]byte{bytes.Repeat([]byte{0, 255, '\n'}, 5000), []byte("p\u00e4ss"), {}}
	sealed, err := powershell.Seal(powershell.Call{
		Script: "Grant-S2SKey", Params: powershell.GrantS2SKey{Thumbprint: "AB", Sid: "S-1-5-20"}, Secrets: secrets,
	}, nonce)
	if err != nil {
		t.Fatal(err)
	}
	if !utf8.Valid(sealed) || bytes.ContainsFunc(sealed, func(r rune) bool { return r > '~' || (r < ' ' && r != '\n') }) {
		t.Error("standard input is not plain ASCII")
	}
	opened, err := powershell.Open(bytes.ReplaceAll(sealed, []byte("\n"), []byte("\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	source, err := powershell.Source("Grant-S2SKey")
	if err != nil {
		t.Fatal(err)
	}
	want := powershell.Envelope{
		Prelude: powershell.Prelude(), Name: "Grant-S2SKey", Script: source, Nonce: nonce, Secrets: secrets,
		Params: json.RawMessage(`{"Thumbprint":"AB","Sid":"S-1-5-20","ProveAs":""}`),
	}
	if diff := cmp.Diff(want, opened); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestSeal_SecretsInTheirOwnFrames(t *testing.T) {
	t.Parallel()
	params := powershell.ImportS2SCertificate{PFX: []byte("the key itself"), Password: []byte("the password")}
	var sealed []byte
	runner := runnerFunc(func(call powershell.Call) error {
		var err error
		sealed, err = powershell.Seal(call, nonce)
		return err
	})
	if _, err := powershell.Run(t.Context(), runner, powershell.Target{}, params); err != nil {
		t.Fatal(err)
	}
	opened, err := powershell.Open(sealed)
	if err != nil {
		t.Fatal(err)
	}
	if !cmp.Equal(opened.Secrets, [][]byte{params.PFX, params.Password}) {
		t.Errorf("secrets %q", opened.Secrets)
	}
	for _, secret := range []string{"the key itself", "the password"} {
		encoded := base64.StdEncoding.EncodeToString([]byte(secret))
		if strings.Contains(string(opened.Params), secret) || strings.Contains(string(opened.Params), encoded) {
			t.Errorf("the parameters hold %q: %s", secret, opened.Params)
		}
	}
}

func TestSeal_RefusesUnanswerable(t *testing.T) {
	t.Parallel()
	for claim, try := range map[string]struct {
		call  powershell.Call
		nonce string
	}{
		"unknown script":   {powershell.Call{Script: "Get-Nothing", Params: struct{}{}}, nonce},
		"path as a script": {powershell.Call{Script: "prelude/dispatch", Params: struct{}{}}, nonce},
		"no object":        {powershell.Call{Script: "Get-SharePointServer", Params: []int{1}}, nonce},
		"no parameters":    {powershell.Call{Script: "Get-SharePointServer"}, nonce},
		"not JSON":         {powershell.Call{Script: "Get-SharePointServer", Params: func() {}}, nonce},
		"short nonce":      {powershell.Call{Script: "Get-SharePointServer", Params: struct{}{}}, "1"},
		"nonce with space": {powershell.Call{Script: "Get-SharePointServer", Params: struct{}{}}, "nonce 1234"},
	} {
		t.Run(claim, func(t *testing.T) {
			if _, err := powershell.Seal(try.call, try.nonce); err == nil {
				t.Error("sealed")
			}
		})
	}
}

func TestOpen_RefusesDamage(t *testing.T) {
	t.Parallel()
	sealed, err := powershell.Seal(powershell.Call{Script: "Get-SharePointServer", Params: struct{}{}}, nonce)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(sealed), "\n")
	for claim, damaged := range map[string]string{
		"empty":          "",
		"a line missing": strings.Join(lines[1:], ""),
		"no hash":        strings.Join(lines[:len(lines)-2], ""),
		"not base64":     "*" + string(sealed[1:]),
		"another hash":   strings.Replace(string(sealed), "#END ", "#END 0", 1),
	} {
		t.Run(claim, func(t *testing.T) {
			if _, err := powershell.Open([]byte(damaged)); err == nil {
				t.Error("opened")
			}
		})
	}
}

func FuzzOpen(f *testing.F) {
	sealed, err := powershell.Envelope{Prelude: "p", Name: "n", Script: "s", Nonce: nonce, Params: json.RawMessage("{}"), Secrets: [][]byte{{1}}}.Seal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add([]byte("#END e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"))
	f.Add([]byte("AAAA\n#END 0\n"))
	f.Fuzz(func(t *testing.T, stdin []byte) {
		opened, err := powershell.Open(stdin)
		if err != nil {
			return
		}
		again, err := opened.Seal()
		if err != nil {
			t.Fatalf("what opened does not seal: %v", err)
		}
		twice, err := powershell.Open(again)
		if err != nil {
			t.Fatalf("what was sealed does not open: %v", err)
		}
		var want, got bytes.Buffer
		if json.Compact(&want, opened.Params) != nil || json.Compact(&got, twice.Params) != nil {
			t.Fatal("parameters are not JSON")
		}
		opened.Params, twice.Params = nil, nil
		if diff := cmp.Diff(opened, twice); diff != "" {
			t.Errorf("opened twice:\n%s", diff)
		}
	})
}
