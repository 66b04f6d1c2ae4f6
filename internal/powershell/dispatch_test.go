package powershell_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

// runText runs a script of the test's own on a machine without products.
func runText(t *testing.T, script string, call powershell.Call, result any) error {
	t.Helper()
	call.Script = "Probe"
	return newServer(t, newMachine()).RunText(t.Context(), target, call, script, result)
}

func TestDispatch_Parameters(t *testing.T) {
	t.Parallel()
	t.Run("hostile text and secrets arrive unchanged", func(t *testing.T) {
		t.Parallel()
		const text = "gr\u00fc\u00dfe \u2018\u2019\u201a\u201b ' \" ` $(1) ; & | \\ \r\n\t \U0001F512 \x7f"
		secret := make([]byte, 256)
		for i := range secret {
			secret[i] = byte(i)
		}
		var got struct {
			Text   string   `json:"text"`
			List   []string `json:"list"`
			Secret []byte   `json:"secret"`
			Count  int      `json:"count"`
		}
		err := runText(t, `[CmdletBinding()] param([string] $Text, [string[]] $List = @('default'))
[pscustomobject] @{ text = $Text; list = $List; secret = $FarmTrustSecrets[0].Clone(); count = $FarmTrustSecrets.Count }`,
			powershell.Call{Params: map[string]any{"Text": text, "List": []string{text}}, Secrets: [][]byte{secret, {}}}, &got)
		if err != nil {
			t.Fatal(err)
		}
		if got.Text != text || !cmp.Equal(got.List, []string{text}) || !cmp.Equal(got.Secret, secret) || got.Count != 2 {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("null is left to the script", func(t *testing.T) {
		t.Parallel()
		var got []string
		err := runText(t, `[CmdletBinding()] param([string[]] $List = @('default')) return , $List`,
			powershell.Call{Params: map[string][]string{"List": nil}}, &got)
		if err != nil || !cmp.Equal(got, []string{"default"}) {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

func TestDispatch_Result(t *testing.T) {
	t.Parallel()
	t.Run("keeps its shape", func(t *testing.T) {
		t.Parallel()
		var got struct {
			None   []string         `json:"none"`
			One    []int            `json:"one"`
			Nested []map[string]any `json:"nested"`
			Null   *string          `json:"null"`
			Time   string           `json:"time"`
			Yes    bool             `json:"yes"`
		}
		err := runText(t, `[pscustomobject] @{ none = @(); one = @(1); nested = @(@{ a = @(@{ b = @{ c = @{ d = 'deep' } } }) }); null = $null
time = [datetime] '2026-11-23T08:00:00.1239999Z'; yes = $true }`, powershell.Call{Params: struct{}{}}, &got)
		if err != nil {
			t.Fatal(err)
		}
		deep := map[string]any{"a": []any{map[string]any{"b": map[string]any{"c": map[string]any{"d": "deep"}}}}}
		if got.None == nil || !cmp.Equal(got.One, []int{1}) || !cmp.Equal(got.Nested[0], deep) || got.Time != "2026-11-23T08:00:00.123Z" || !got.Yes {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("is not hidden by other output", func(t *testing.T) {
		t.Parallel()
		var got int
		err := runText(t, "[Console]::Out.WriteLine('@@RESULT other e30='); Write-Warning 'w'; [Console]::Error.WriteLine('#< CLIXML'); 5",
			powershell.Call{Params: struct{}{}}, &got)
		if err != nil || got != 5 {
			t.Errorf("got %d, %v", got, err)
		}
	})
	t.Run("brings the warnings of cmdlets with it", func(t *testing.T) {
		t.Parallel()
		var out string
		if err := runText(t, `Write-Warning 'one'; & { Write-Warning 'two'; Write-Warning 'one' } | Out-Null; Write-Output -InputObject 'result' -WarningAction SilentlyContinue`,
			powershell.Call{Params: struct{}{}}, &out); err != nil || out != "result" {
			t.Errorf("got %q, %v", out, err)
		}
		var said *powershell.ScriptError
		err := runText(t, "Write-Warning 'before'; Write-Warning ('x' * 1100); Stop-Script -Id NotMaster -Message 'x'", powershell.Call{Params: struct{}{}}, &out)
		if !errors.As(err, &said) || !cmp.Equal(said.Warnings, []string{"before", strings.Repeat("x", 497) + "..."}) || said.Line != 1 {
			t.Errorf("got %+v", err)
		}
	})
	t.Run("of a script that ends the shell is an error, whatever the exit code", func(t *testing.T) {
		t.Parallel()
		call := powershell.Call{Script: "Probe", Params: struct{}{}}
		err := newServerOn(t, processEngine, newMachine()).RunText(t.Context(), target, call, "exit 0", new(any))
		assertTransportError(t, err, powershell.Garbled, "exit code 0")
	})
}

func TestDispatch_ErrorsAreResults(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, script, id, exception string
		line                        int
	}{
		{"ours", "1 | Out-Null\nStop-Script -Id NotMaster -Message 'x'", powershell.NotMaster, "System.InvalidOperationException", 2},
		{".NET", "\n\n[System.IO.File]::ReadAllBytes('/nowhere/at/all')", "DirectoryNotFoundException", "System.IO.DirectoryNotFoundException", 3},
		{"unknown command", "Get-Nothing", "CommandNotFoundException", "System.Management.Automation.CommandNotFoundException", 1},
		{"syntax", "if (", "ParseException", "System.Management.Automation.ParseException", 0},
		{"unknown parameter", "[CmdletBinding()] param()", "NamedParameterNotFound", "System.Management.Automation.ParameterBindingException", 0},
		{"strict mode", "$nothing.x", "VariableIsUndefined", "System.Management.Automation.RuntimeException", 1},
		{"no result", "", powershell.NoResult, "System.InvalidOperationException", 0},
		{"two results", "1; 2", powershell.NoResult, "System.InvalidOperationException", 0},
		{"a result without JSON form", "[regex] 'x'", powershell.NoResult, "System.InvalidOperationException", 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			params := map[string]any{}
			if c.name == "unknown parameter" {
				params["Unknown"] = 1
			}
			var said *powershell.ScriptError
			if err := runText(t, c.script, powershell.Call{Params: params}, new(any)); !errors.As(err, &said) {
				t.Fatalf("got %v, want a script error", err)
			}
			if said.ID != c.id || said.Exception != c.exception || said.Line != c.line || said.Message == "" || said.Script != "Probe" {
				t.Errorf("got %+v", said)
			}
		})
	}
	t.Run("a long message is cut", func(t *testing.T) {
		t.Parallel()
		var said *powershell.ScriptError
		err := runText(t, "Stop-Script -Id NotMaster -Message ('x' * 5000)", powershell.Call{Params: map[string]any{}}, new(any))
		if !errors.As(err, &said) || len(said.Message) != 2000 || !strings.HasSuffix(said.Message, "x...") {
			t.Errorf("got %v", err)
		}
	})
}

func TestBootstrap(t *testing.T) {
	t.Parallel()
	t.Run("damaged input runs nothing", func(t *testing.T) {
		t.Parallel()
		stdin, err := powershell.Seal(powershell.Call{Script: "Get-SharePointServer", Params: struct{}{}}, "nonce1234")
		if err != nil {
			t.Fatal(err)
		}
		s := newServerOn(t, processEngine, newMachine())
		flipped := []byte(string(stdin))
		flipped[100] ^= 1
		for name, damaged := range map[string][]byte{
			"truncated": stdin[:len(stdin)/2], "flipped": flipped, "empty": nil, "not base64": []byte("***\n#END x\n"),
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				out, err := s.RunCommand(t.Context(), damaged, strings.Fields(powershell.CommandLine())[1:]...)
				requireNoError(t, err)
				err = powershell.ReadResult(target.Host, powershell.Call{Script: "Get-SharePointServer"}, "nonce1234", out.Stdout, out.Stderr, out.Exit, new(any))
				assertTransportError(t, err, powershell.Garbled, "nothing ran")
				if out.Exit != powershell.ExitBadStdin {
					t.Errorf("exit code %d, want %d", out.Exit, powershell.ExitBadStdin)
				}
			})
		}
	})
	// The mode is set in the way that is open to a test: by a statement before the
	// first of the bootstrap.
	t.Run("constrained language mode is reported", func(t *testing.T) {
		t.Parallel()
		const mode = "$ExecutionContext.SessionState.LanguageMode = 'ConstrainedLanguage'\n"
		arguments := strings.Fields(powershell.CommandLine())[1:]
		arguments[len(arguments)-1] = powershell.EncodeCommand(mode + powershell.Bootstrap())
		out, err := newServerOn(t, processEngine, newMachine()).RunCommand(t.Context(), nil, arguments...)
		requireNoError(t, err)
		err = powershell.ReadResult(target.Host, powershell.Call{Script: "Get-SharePointServer"}, "nonce1234", out.Stdout, out.Stderr, out.Exit, new(any))
		assertTransportError(t, err, powershell.Constrained, "ConstrainedLanguage")
		if out.Exit != powershell.ExitConstrained {
			t.Errorf("exit code %d, want %d", out.Exit, powershell.ExitConstrained)
		}
	})
}

// assertTransportError asserts that an error is one of this kind whose text
// contains part.
func assertTransportError(t *testing.T, err error, kind powershell.Kind, part string) {
	t.Helper()
	var failed *powershell.TransportError
	if !errors.As(err, &failed) || failed.Kind != kind || !strings.Contains(err.Error(), part) {
		t.Errorf("got %v, want an error of kind %q that says %q", err, kind, part)
	}
}
