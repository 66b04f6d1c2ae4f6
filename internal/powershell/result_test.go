package powershell_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

// runnerFunc is a runner that only looks at the call.
type runnerFunc func(call powershell.Call) error

func (f runnerFunc) Run(_ context.Context, _ powershell.Target, call powershell.Call, _ any) error {
	return f(call)
}

// printed is a runner that returns what a command printed.
type printed []byte

func (p printed) Run(_ context.Context, target powershell.Target, call powershell.Call, result any) error {
	return powershell.ReadResult(target.Host, call, nonce, p, nil, 0, result)
}

func TestReadResult(t *testing.T) {
	t.Parallel()
	t.Run("is found among other output", func(t *testing.T) {
		t.Parallel()
		want := powershell.SetSettingResult{Changed: true, Settings: []string{"gr\u00fcn"}}
		line, err := powershell.FormatResult(nonce, want)
		if err != nil {
			t.Fatal(err)
		}
		stdout := "WARNING: The following settings have been changed\r\n@@RESULT othernonce e30=\r\n\ufeff" + string(line) + "more\r\n"
		var got powershell.SetSettingResult
		if err := powershell.ReadResult("oos-01", powershell.Call{Script: "x"}, nonce, []byte(stdout), []byte("noise"), 1, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
	})
	t.Run("of a failed script is its error", func(t *testing.T) {
		t.Parallel()
		said := powershell.ScriptError{
			ID: powershell.NotMaster, Message: "the master is OOS-02", Category: "InvalidOperation",
			Exception: "System.InvalidOperationException", HResult: -2146233079, Line: 12,
		}
		line, err := powershell.FormatError(nonce, said)
		if err != nil {
			t.Fatal(err)
		}
		err = powershell.ReadResult("oos-01", powershell.Call{Script: "Set-S2SCertificateName"}, nonce, line, nil, 0, new(any))
		var got *powershell.ScriptError
		if !errors.As(err, &got) {
			t.Fatalf("got %v", err)
		}
		said.Server, said.Script = "oos-01", "Set-S2SCertificateName"
		if diff := cmp.Diff(said, *got); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
	})
	t.Run("has few warnings of few words, each once", func(t *testing.T) {
		t.Parallel()
		warnings := []string{"every  machine\r\nmust be restarted", "every machine must be restarted", " ", strings.Repeat("\u00e4", 600), "3", "4", "5", "6"}
		line, err := powershell.FormatResult(nonce, powershell.SetNameResult{Changed: true}, warnings...)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		ctx := powershell.WithWarnings(t.Context(), func(server, text string) { got = append(got, server+": "+text) })
		result, err := powershell.Run(ctx, printed(line), target, powershell.SetS2SCertificateName{})
		if err != nil || !result.Changed {
			t.Fatalf("got %+v, %v", result, err)
		}
		want := []string{"oos-01: every machine must be restarted", "oos-01: " + strings.Repeat("\u00e4", 497) + "...", "oos-01: 3", "oos-01: 4", "oos-01: 5"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
		line, err = powershell.FormatError(nonce, powershell.ScriptError{ID: "x", Message: "broken", Warnings: warnings[:1]})
		if err != nil {
			t.Fatal(err)
		}
		_, err = powershell.Run(ctx, printed(line), target, powershell.SetS2SCertificateName{})
		if err == nil || !strings.HasSuffix(err.Error(), "broken (x); warned before: every machine must be restarted") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("in constrained language is an error of that kind", func(t *testing.T) {
		t.Parallel()
		err := powershell.ReadResult("oos-01", powershell.Call{Script: "x"}, nonce, []byte("@@LANGUAGE ConstrainedLanguage\r\n"), nil, 98, new(any))
		var said *powershell.TransportError
		if !errors.As(err, &said) || said.Kind != powershell.Constrained || !strings.Contains(err.Error(), "ConstrainedLanguage") {
			t.Errorf("got %v", err)
		}
	})
}

func TestReadResult_Garbled(t *testing.T) {
	t.Parallel()
	encode := func(json string) string {
		return "@@RESULT " + nonce + " " + base64.StdEncoding.EncodeToString([]byte(json)) + "\n"
	}
	good := encode(`{"result":{"changed":true,"previous":""}}`)
	cases := []struct{ claim, stdout, stderr, says string }{
		{"nothing", "", "", "no result (exit code 0)"},
		{"another call's answer", "@@RESULT othernonce e30=\n", "", "no result"},
		{"two results", good + good, "", "two results"},
		{"not base64", "@@RESULT " + nonce + " ***\n", "", "base64"},
		{"cut off", good[:len(good)-8] + "\n", "", ""},
		{"unknown field in the result", encode(`{"result":{"changed":true,"extra":1}}`), "", "extra"},
		{"unknown field in the answer", encode(`{"result":{},"more":1}`), "", "more"},
		{"both", encode(`{"result":{},"error":{}}`), "", "not one of"},
		{"neither", encode(`{}`), "", "not one of"},
		{"trailing data", encode(`{"result":{}} {}`), "", "after the JSON value"},
		{"not at the start of a line", "x " + good, "", "no result"},
		{"damaged input", "@@BAD stdin\n", "", "nothing ran"},
		{"the server's words", "", "The command line is too long.\r\n", "The command line is too long."},
	}
	for _, c := range cases {
		t.Run(c.claim, func(t *testing.T) {
			var got powershell.SetNameResult
			err := powershell.ReadResult("oos-01", powershell.Call{Script: "x"}, nonce, []byte(c.stdout), []byte(c.stderr), 0, &got)
			var said *powershell.TransportError
			if !errors.As(err, &said) || said.Kind != powershell.Garbled || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want a garbled answer that says %q", err, c.says)
			}
		})
	}
}

// As a Windows server sends it: progress and verbose records beside errors.
const cliXML = "#< CLIXML\r\n" + `<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">` +
	`<Obj S="progress" RefId="0"><TN RefId="0"><T>System.Management.Automation.PSCustomObject</T></TN><MS><I64 N="SourceId">1</I64></MS></Obj>` +
	`<S S="verbose">noise</S><S S="Error">Get-Nothing : Der Begriff_x000D__x000A_</S><S S="Error">wurde nicht erkannt &lt;_xD83D__xDD12_&gt;._x000D__x000A_</S></Objs>`

func TestReadResult_QuotesOnlyErrors(t *testing.T) {
	t.Parallel()
	read := func(stderr string) string {
		return powershell.ReadResult("oos-01", powershell.Call{Script: "x"}, nonce, nil, []byte(stderr), 1, new(any)).Error()
	}
	if got, want := read(cliXML), "the server said: Get-Nothing : Der Begriff wurde nicht erkannt <\U0001F512>."; !strings.HasSuffix(got, want) {
		t.Errorf("got %q, want it to end in %q", got, want)
	}
	if got := read("#< CLIXML\r\n<Objs><S S=\"verbose\">noise</S></Objs>"); strings.Contains(got, "noise") {
		t.Errorf("got %q", got)
	}
	if got := read(strings.Repeat("\x1b[31m red \x00", 10000)); len(got) > 1000 || strings.ContainsAny(got, "\x1b\x00\n") {
		t.Errorf("%d bytes, or control characters: %.80q", len(got), got)
	}
}

func FuzzReadResult(f *testing.F) {
	line, err := powershell.FormatResult(nonce, powershell.SetNameResult{Changed: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line, []byte(""))
	f.Add([]byte("@@LANGUAGE x\n@@BAD y\n"), []byte(cliXML))
	f.Add([]byte("@@RESULT "+nonce+" bnVsbA==\n"), []byte("#< CLIXML<S S=\"Error\">_x000_</S>"))
	f.Fuzz(func(t *testing.T, stdout, stderr []byte) {
		var result powershell.SetNameResult
		err := powershell.ReadResult("oos-01", powershell.Call{Script: "x"}, nonce, stdout, stderr, 0, &result)
		var script *powershell.ScriptError
		var transport *powershell.TransportError
		if err != nil && !errors.As(err, &script) && !errors.As(err, &transport) {
			t.Errorf("an error of another type: %v", err)
		}
	})
}
