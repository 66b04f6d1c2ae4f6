package powershell_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

// probe runs script with params on a machine without products.
func probe(t *testing.T, script string, call powershell.Call, result any) error {
	t.Helper()
	call.Script = "Probe"
	return newEngine(t, someMachine()).runText(t.Context(), powershell.Target{Host: "oos-01"}, call, script, result)
}

func TestHostileTextAndSecretsArriveAsTheyWere(t *testing.T) {
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
	err := probe(t, `[CmdletBinding()] param([string] $Text, [string[]] $List = @('default'))
[pscustomobject] @{ text = $Text; list = $List; secret = $FarmTrustSecrets[0].Clone(); count = $FarmTrustSecrets.Count }`,
		powershell.Call{Params: map[string]any{"Text": text, "List": []string{text}}, Secrets: [][]byte{secret, {}}}, &got)
	if err != nil {
		t.Fatal(err)
	}
	if got.Text != text || !cmp.Equal(got.List, []string{text}) || !cmp.Equal(got.Secret, secret) || got.Count != 2 {
		t.Errorf("got %+v", got)
	}
}

func TestNullParametersAreLeftToTheScript(t *testing.T) {
	t.Parallel()
	var got []string
	err := probe(t, `[CmdletBinding()] param([string[]] $List = @('default')) return , $List`,
		powershell.Call{Params: map[string][]string{"List": nil}}, &got)
	if err != nil || !cmp.Equal(got, []string{"default"}) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestResultsKeepTheirShape(t *testing.T) {
	t.Parallel()
	var got struct {
		None   []string         `json:"none"`
		One    []int            `json:"one"`
		Nested []map[string]any `json:"nested"`
		Null   *string          `json:"null"`
		Time   string           `json:"time"`
		Yes    bool             `json:"yes"`
	}
	err := probe(t, `[pscustomobject] @{ none = @(); one = @(1); nested = @(@{ a = @(@{ b = @{ c = @{ d = 'deep' } } }) }); null = $null
time = [datetime] '2026-11-23T08:00:00.1239999Z'; yes = $true }`, powershell.Call{Params: struct{}{}}, &got)
	if err != nil {
		t.Fatal(err)
	}
	deep := map[string]any{"a": []any{map[string]any{"b": map[string]any{"c": map[string]any{"d": "deep"}}}}}
	if got.None == nil || !cmp.Equal(got.One, []int{1}) || !cmp.Equal(got.Nested[0], deep) || got.Time != "2026-11-23T08:00:00.123Z" || !got.Yes {
		t.Errorf("got %+v", got)
	}
}

func TestErrorsOfEveryKindAreAnswers(t *testing.T) {
	t.Parallel()
	cases := []struct {
		claim, script, id, exception string
		line                         int
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
		t.Run(c.claim, func(t *testing.T) {
			t.Parallel()
			params := map[string]any{}
			if c.claim == "unknown parameter" {
				params["Unknown"] = 1
			}
			var said *powershell.ScriptError
			if err := probe(t, c.script, powershell.Call{Params: params}, new(any)); !errors.As(err, &said) {
				t.Fatalf("got %v, want a script error", err)
			}
			if said.ID != c.id || said.Exception != c.exception || said.Line != c.line || said.Message == "" || said.Script != "Probe" {
				t.Errorf("got %+v", said)
			}
		})
	}
}

func TestChatterDoesNotHideTheAnswer(t *testing.T) {
	t.Parallel()
	var got int
	err := probe(t, "[Console]::Out.WriteLine('@@RESULT other e30='); Write-Warning 'w'; [Console]::Error.WriteLine('#< CLIXML'); 5",
		powershell.Call{Params: struct{}{}}, &got)
	if err != nil || got != 5 {
		t.Errorf("got %d, %v", got, err)
	}
}

func TestScriptThatEndsTheShellIsAFailureWhateverTheExitCode(t *testing.T) {
	t.Parallel()
	var said *powershell.TransportError
	err := probe(t, "exit 0", powershell.Call{Params: struct{}{}}, new(any))
	if !errors.As(err, &said) || said.Kind != powershell.Garbled {
		t.Errorf("got %v, want a garbled answer", err)
	}
}

func TestDamagedInputRunsNothing(t *testing.T) {
	t.Parallel()
	stdin, err := powershell.Seal(powershell.Call{Script: "Get-SharePointServer", Params: struct{}{}}, "nonce1234")
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(t, someMachine())
	flipped := []byte(string(stdin))
	flipped[100] ^= 1
	for claim, damaged := range map[string][]byte{
		"truncated": stdin[:len(stdin)/2], "flipped": flipped, "empty": nil, "not base64": []byte("***\n#END x\n"),
	} {
		stdout, stderr, exit, err := e.start(t.Context(), damaged)
		if err != nil {
			t.Fatal(err)
		}
		err = powershell.ReadResult("oos-01", "Get-SharePointServer", "nonce1234", stdout, stderr, exit, new(any))
		var said *powershell.TransportError
		if !errors.As(err, &said) || said.Kind != powershell.Garbled || exit != powershell.ExitBadStdin {
			t.Errorf("%s: exit code %d, error %v", claim, exit, err)
		}
		if !strings.Contains(err.Error(), "nothing ran") {
			t.Errorf("%s: %q does not say that nothing ran", claim, err)
		}
	}
}

func TestConstrainedLanguageModeIsReported(t *testing.T) {
	t.Parallel()
	e := newEngine(t, someMachine())
	stdout, stderr, exit := e.constrained(t)
	err := powershell.ReadResult("oos-01", "Get-SharePointServer", "nonce1234", stdout, stderr, exit, new(any))
	var said *powershell.TransportError
	if !errors.As(err, &said) || said.Kind != powershell.Constrained || exit != powershell.ExitConstrained {
		t.Errorf("exit code %d, error %v; stdout %q", exit, err, stdout)
	}
}
