package powershell_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

// readHostile reads an outcome of a server as the result of the script that takes params.
func readHostile[R any](t *testing.T, params powershell.Params[R], outcome string) error {
	t.Helper()
	line := "@@RESULT " + nonce + " " + base64.StdEncoding.EncodeToString([]byte(outcome)) + "\n"
	var result R
	return powershell.ReadResult("oos-01", powershell.Call{Script: powershell.ScriptOf(params)}, nonce, []byte(line), nil, 0, &result)
}

// requireOversized checks that err names the server and says what was too large.
func requireOversized(t *testing.T, err error) {
	t.Helper()
	said, ok := errors.AsType[*powershell.TransportError](err)
	if _, sized := errors.AsType[*powershell.OversizedError](err); !ok || !sized || said.Kind != powershell.Oversized {
		t.Fatalf("got %.200v, want an error of its own kind", err)
	}
	if text := err.Error(); !strings.HasPrefix(text, "oos-01: oversized: ") || len(text) > 300 {
		t.Errorf("got %.400q, want a short error that begins with the server", text)
	}
}

func TestReadResult_Limits(t *testing.T) {
	t.Parallel()
	list := func(element string, n int) string {
		return "[" + strings.TrimSuffix(strings.Repeat(element+",", n), ",") + "]"
	}
	for name, outcome := range map[string]string{
		"a text":               `{"result":{"health":"` + strings.Repeat("x", 20<<10) + `"}}`,
		"a thumbprint":         `{"result":{"certificates":[{"subject":"x","thumbprint":"` + strings.Repeat("A", 41) + `"}]}}`,
		"an escaped text":      `{"result":{"health":"` + strings.Repeat(`\u00e4`, 9<<10) + `"}}`,
		"a list":               `{"result":{"certificates":` + list("{}", 1001) + `}}`,
		"a list of null":       `{"result":{"certificates":` + list("null", 10_000) + `}}`,
		"a result":             `{"result":{"machines":` + list(`"`+strings.Repeat("x", 1000)+`"`, 900) + `}}`,
		"megabytes of records": `{"result":{"certificates":` + list("{}", 2<<20) + `}}`,
		"a depth":              `{"result":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`,
		"fields":               `{"result":{` + strings.TrimSuffix(strings.Repeat(`"health":"",`, 2000), ",") + `}}`,
		"an error":             `{"error":{"message":"` + strings.Repeat("x", 100_000) + `"}}`,
		"warnings":             `{"result":{},"warnings":` + list(`"x"`, 1001) + `}`,
		"blanks":               `{"result":{}` + strings.Repeat(" ", 70_000) + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireOversized(t, readHostile(t, powershell.GetOfficeServer{}, outcome))
		})
	}

	t.Run("what the task wrote", func(t *testing.T) {
		t.Parallel()
		for name, outcome := range map[string]string{
			"a list":   `{"result":{"certificates":` + list("{}", 1001) + `}}`,
			"a result": strings.Repeat(" ", 65<<10) + "{}",
		} {
			raw, err := json.Marshal(powershell.TaskResult{Outcome: []byte(outcome)})
			if err != nil {
				t.Fatal(err)
			}
			line, err := powershell.FormatResult(nonce, json.RawMessage(raw))
			if err != nil {
				t.Fatal(err)
			}
			_, err = powershell.Run(t.Context(), powershell.ByTask(printed(line)), target, powershell.GetSharePointFarm{})
			if said, ok := errors.AsType[*powershell.TransportError](err); !ok || said.Kind != powershell.Oversized {
				t.Errorf("%s: got %.200v", name, err)
			}
		}
	})

	t.Run("an error is short, on one line and without control characters", func(t *testing.T) {
		t.Parallel()
		err := readHostile(t, powershell.GetOfficeServer{}, `{"error":{"id":"x\u001b[2J`+strings.Repeat("y", 5000)+`","message":"broken\n\u001b]0;owned\u0007`+strings.Repeat("z", 9000)+`"}}`)
		if text := err.Error(); len(text) > 2500 || strings.ContainsAny(text, "\x1b\x07\n") || !strings.Contains(text, "broken") {
			t.Errorf("got %d bytes, %.200q", len(text), text)
		}
	})
}

// The largest farm that there may be: its master names a hundred machines, its front end
// a hundred servers and root authorities.
func TestReadResult_LargestFarm(t *testing.T) {
	t.Parallel()
	office := powershell.OfficeServer{Health: "Unhealthy", LastErrors: []string{}}
	sharePoint := powershell.SharePointFarm{}
	for i := range 100 {
		office.Machines = append(office.Machines, fmt.Sprintf("A-LONG-COMPUTER-NAME-%d.emea.corp.contoso.com", i))
		sharePoint.Members = append(sharePoint.Members, fmt.Sprintf("SHAREPOINT-SERVER-%d", i))
		sharePoint.RootAuthorities = append(sharePoint.RootAuthorities, powershell.RootAuthority{Name: strings.Repeat("n", 60), Thumbprint: strings.Repeat("A", 40)})
		sharePoint.Permissions = append(sharePoint.Permissions, powershell.AppPermission{Site: "https://sharepoint.contoso.com/sites/a-long-name", RegisteredName: strings.Repeat("r", 73), Right: "FullControl", AppOnly: true})
	}
	for range 10 {
		c := powershell.Certificate{
			Thumbprint: strings.Repeat("A", 40), FriendlyName: strings.Repeat("f", 60), Subject: strings.Repeat("s", 300), NotBefore: time.Now(), NotAfter: time.Now(),
			HasKey: true, Provider: "Microsoft Enhanced RSA and AES Cryptographic Provider", KeyReaders: []string{"S-1-5-20", "S-1-5-18", "S-1-5-32-544"},
		}
		office.Certificates, office.Roots = append(office.Certificates, c), append(office.Roots, c)
		sharePoint.Issuers = append(sharePoint.Issuers, powershell.TokenIssuer{Name: strings.Repeat("i", 60), RegisteredName: strings.Repeat("r", 73), Certificate: make([]byte, 1500), Description: strings.Repeat("d", 200)})
	}
	for range 5 {
		// As a server in Greek or Chinese says it: each character is six bytes.
		office.LastErrors = append(office.LastErrors, strings.Repeat("\u03b1", 500))
	}
	for name, result := range map[string]any{"an office server": office, "a SharePoint farm": sharePoint} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			line, err := powershell.FormatResult(nonce, result, strings.Repeat("\u03b1", 500), strings.Repeat("\u03b2", 500))
			if err != nil {
				t.Fatal(err)
			}
			if err := powershell.ReadResult("oos-01", powershell.Call{Script: "x"}, nonce, line, nil, 0, new(any)); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestReadResult_Memory is not parallel: it measures the memory of the process.
func TestReadResult_Memory(t *testing.T) {
	for name, outcome := range map[string]string{
		"records": `{"result":{"certificates":[` + strings.TrimSuffix(strings.Repeat("{},", 990), ",") + `],"roots":[` + strings.TrimSuffix(strings.Repeat("{},", 990), ",") + `]}}`,
		"refused": `{"result":{"certificates":[` + strings.TrimSuffix(strings.Repeat("{},", 120_000), ",") + `]}}`,
		"texts":   `{"result":{"machines":[` + strings.TrimSuffix(strings.Repeat(`"",`, 990), ",") + `]}}`,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_ = readHostile(t, powershell.GetOfficeServer{}, outcome)
		runtime.ReadMemStats(&after)
		allocated := (after.TotalAlloc - before.TotalAlloc) >> 10
		t.Logf("%s: %d KiB took %d KiB", name, len(outcome)>>10, allocated)
		if allocated > 8<<10 {
			t.Errorf("%s: %d KiB took %d KiB", name, len(outcome)>>10, allocated)
		}
	}
}
