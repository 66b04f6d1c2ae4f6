package event_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/event"
)

const vaultTopic = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-sample-001/providers/Microsoft.KeyVault/vaults/contoso-kv-001"

func readSample(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// decode decodes what Event Grid sends, in either schema.
func decode(contentType, body string) ([]event.Expiry, error) {
	m := event.Message{Header: http.Header{"Content-Type": {contentType}}, Body: []byte(body)}
	b, err := event.Decode(event.Azure, m, event.Fields{})
	return b.Events, err
}

func TestDecode_Samples(t *testing.T) {
	t.Run("published samples are understood", func(t *testing.T) {
		for _, c := range []struct {
			file, contentType string
			want              event.Expiry
		}{
			{"cloudevents.CertificateNearExpiry.captured.json", "application/cloudevents+json; charset=utf-8", event.Expiry{
				ID: "f36c5d73-a559-480d-b131-202c16c1c024", Source: vaultTopic, Kind: event.NearExpiry,
				Time:  time.Date(2025, 6, 11, 20, 12, 27, 934701000, time.UTC),
				Vault: "contoso-kv-001", Certificate: "mycert10", Version: "604a2c253ee94f569f37265add7ca0a6",
				NotAfter: time.Date(2025, 6, 11, 21, 58, 47, 0, time.UTC),
			}},
			{"eventgrid-schema.CertificateNearExpiry.captured.json", "application/json", event.Expiry{
				ID: "1af41fa2-54b2-4b03-ba46-f5088ba709c7", Source: vaultTopic, Kind: event.NearExpiry,
				Time:  time.Date(2025, 4, 26, 19, 29, 34, 419722300, time.UTC),
				Vault: "contoso-kv-001", Certificate: "mycert13", Version: "89e4274cf92540479770a1178cce17ff",
				NotAfter: time.Date(2025, 4, 26, 21, 17, 28, 0, time.UTC),
			}},
			{"generic.cloudevent.PROPOSED.json", "", event.Expiry{
				ID: "0f7d7e0e-7a0e-4e0e-9a53-9d2b8c2f1a11", Source: "//scanner.contoso.com/farms/oos-prod", Kind: event.NearExpiry,
				Time:  time.Date(2026, 1, 5, 6, 0, 0, 0, time.UTC),
				Vault: "//scanner.contoso.com/farms/oos-prod", Certificate: "oos-s2s", Farm: "oos-prod",
				Thumbprint: "DB0FEA9B641F3814FC5168AE83EF7839AF1BB012", Serials: []string{"1A2B3C"}, Subject: "CN=oos-s2s.contoso.com",
				NotAfter: time.Date(2026, 2, 4, 20, 7, 39, 0, time.UTC),
			}},
		} {
			t.Run(c.file, func(t *testing.T) {
				got, err := decode(c.contentType, string(readSample(t, c.file)))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff([]event.Expiry{c.want}, got); diff != "" {
					t.Error(diff)
				}
			})
		}
	})

	// The documentation shows the event of a secret only. With the type changed to
	// that of a certificate its quirks are those of the fields that both share.
	t.Run("the quirks of the documentation are tolerated", func(t *testing.T) {
		for _, file := range []string{"cloudevents.SecretNewVersionCreated.msdoc.json", "eventgrid-schema.SecretNewVersionCreated.msdoc.json"} {
			t.Run(file, func(t *testing.T) {
				body := bytes.ReplaceAll(readSample(t, file), []byte("KeyVault.Secret"), []byte("KeyVault.Certificate"))
				got, err := decode("application/json; charset=utf-8", string(body))
				if err != nil {
					t.Fatal(err)
				}
				want := []event.Expiry{{
					ID:     "00eccf70-95a7-4e7c-8299-2eb17ee9ad64",
					Source: "/subscriptions/{subscription-id}/resourceGroups/sample-rg/providers/Microsoft.KeyVault/vaults/sample-kv",
					Kind:   event.NewVersion, Time: time.Date(2019, 7, 25, 1, 8, 33, 103673600, time.UTC),
					Vault: "sample-kv", Certificate: "newsecret", Version: "ee059b2bb5bc48398a53b168c6cdcb10",
					NotAfter: time.Date(2019, 5, 28, 22, 21, 42, 0, time.UTC),
				}}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
			})
		}
	})
}

// nearExpiry returns a near-expiry event of Key Vault with attributes set, or
// removed where they are nil. Those that begin with "data." belong to its data.
func nearExpiry(t testing.TB, changes map[string]any) string {
	t.Helper()
	e := map[string]any{
		"specversion": "1.0", "id": "e1", "source": "/vaults/kv", "type": "Microsoft.KeyVault.CertificateNearExpiry",
		"time": "2026-01-05T06:00:00Z",
	}
	data := map[string]any{"VaultName": "kv", "ObjectName": "s2s", "Version": "v1", "EXP": 1749679127}
	e["data"] = data
	for name, v := range changes {
		target := e
		if after, ok := strings.CutPrefix(name, "data."); ok {
			target, name = data, after
		}
		if v == nil {
			delete(target, name)
		} else {
			target[name] = v
		}
	}
	body, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestDecode(t *testing.T) {
	t.Run("a batch keeps its order and may mix schemas", func(t *testing.T) {
		grid := readSample(t, "eventgrid-schema.CertificateNearExpiry.captured.json")
		body := "[" + nearExpiry(t, map[string]any{"id": "a"}) + "," + strings.Trim(strings.TrimSpace(string(grid)), "[]") + "," +
			nearExpiry(t, map[string]any{"id": "c", "type": "Microsoft.KeyVault.CertificateExpired"}) + "]"
		got, err := decode("application/json", body)
		if err != nil {
			t.Fatal(err)
		}
		var seen []string
		for _, e := range got {
			seen = append(seen, fmt.Sprintf("%s %s", e.ID, e.Kind))
		}
		want := []string{"a near expiry", "1af41fa2-54b2-4b03-ba46-f5088ba709c7 near expiry", "c expired"}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("what senders may vary does not matter", func(t *testing.T) {
		plain, err := decode("", nearExpiry(t, nil))
		if err != nil {
			t.Fatal(err)
		}
		encoded := nearExpiry(t, map[string]any{"data": nil, "data_base64": []byte(`{"VaultName":"kv","ObjectName":"s2s","Version":"v1","EXP":1749679127}`)})
		for claim, c := range map[string]struct{ contentType, body string }{
			"a batch content type with a parameter": {"application/cloudevents-batch+json; charset=utf-8", "[" + nearExpiry(t, nil) + "]"},
			"upper-case content type":               {"Application/CloudEvents+JSON", nearExpiry(t, nil)},
			"any parameter":                         {"application/cloudevents+json; version=1; charset=\"UTF-8\"", nearExpiry(t, nil)},
			"a byte order mark":                     {"", "\xef\xbb\xbf" + nearExpiry(t, nil)},
			"white space around":                    {"", "\r\n " + nearExpiry(t, nil) + "\r\n"},
			"unknown attributes":                    {"", nearExpiry(t, map[string]any{"traceparent": "00-ab", "eventType": "x", "ID": "other", "data.Tags": []int{1}})},
			"the expiry as a string":                {"", nearExpiry(t, map[string]any{"data.EXP": " 1749679127 "})},
			"the expiry as a float":                 {"", nearExpiry(t, map[string]any{"data.EXP": json.Number("1.749679127e9")})},
			"a name with a blank":                   {"", nearExpiry(t, map[string]any{"data.ObjectName": nil, "data.ObjectName ": " s2s "})},
			"another offset":                        {"", nearExpiry(t, map[string]any{"time": "2026-01-05T07:00:00.0000000+01:00"})},
			"data in base64":                        {"", encoded},
		} {
			t.Run(claim, func(t *testing.T) {
				got, err := decode(c.contentType, c.body)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(plain, got); diff != "" {
					t.Error(diff)
				}
			})
		}
	})

	t.Run("an event without times has none", func(t *testing.T) {
		got, err := decode("", nearExpiry(t, map[string]any{"time": nil, "data.EXP": nil}))
		if err != nil {
			t.Fatal(err)
		}
		if !got[0].Time.IsZero() || !got[0].NotAfter.IsZero() {
			t.Errorf("got %v and %v, want none", got[0].Time, got[0].NotAfter)
		}
	})
}

func TestExpiry_String(t *testing.T) {
	for want, e := range map[string]event.Expiry{
		"near expiry of s2s in kv (event e1)":     {ID: "e1", Kind: event.NearExpiry, Vault: "kv", Certificate: "s2s"},
		"expiry of DB0FEA9B in //scan (event e2)": {ID: "e2", Kind: event.Expired, Vault: "//scan", Thumbprint: "DB0FEA9B641F3814FC5168AE83EF7839AF1BB012"},
	} {
		t.Run(want, func(t *testing.T) {
			if got := e.String(); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/*.*")
	if err != nil || len(files) == 0 {
		f.Fatal("no samples", err)
	}
	for _, name := range files {
		body, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for i := range event.Formats() {
			f.Add(i, "", "", body)
		}
	}
	f.Add(-1, "application/cloudevents-batch+json; charset=utf-8", "", []byte("["+nearExpiry(f, nil)+"]"))
	f.Add(-1, "application/json", "", []byte(`{"a":1,"a":2}`))
	f.Add(0, "application/json", "1.0", []byte(`{"VaultName":"kv","ObjectName":"s2s"}`))
	f.Fuzz(func(t *testing.T, format int, contentType, version string, body []byte) {
		var chosen event.Format
		if all := event.Formats(); format >= 0 && format < len(all) {
			chosen = all[format]
		}
		m := event.Message{Header: http.Header{"Content-Type": {contentType}}, Body: body}
		if version != "" {
			m.Header["Ce-Specversion"] = []string{version}
			m.Header["Ce-Id"], m.Header["Ce-Source"] = []string{"e1"}, []string{"%2Fsource"}
			m.Header["Ce-Type"] = []string{"Microsoft.KeyVault.CertificateExpired"}
		}
		checkDecoded(t, chosen, m)
	})
}

// checkDecoded checks what holds for whatever is sent: what is decoded is complete,
// bounded and the same each time, and an error says what to do.
func checkDecoded(t *testing.T, format event.Format, m event.Message) {
	t.Helper()
	got, err := event.Decode(format, m, event.Fields{})
	if err != nil {
		typed, ok := errors.AsType[*event.Error](err)
		if !ok {
			t.Fatalf("got %#v, want an *event.Error", err)
		}
		if typed.Err == nil || slices.Contains([]string{typed.Place, typed.Text, typed.Remedy}, "") {
			t.Fatalf("not complete: %#v", typed)
		}
		if len(got.Events)+len(got.Passed) > 0 {
			t.Fatalf("events beside an error: %+v", got)
		}
		return
	}
	if len(got.Events)+len(got.Passed) == 0 {
		t.Fatal("neither events nor an error")
	}
	for _, e := range got.Events {
		if slices.Contains([]string{e.ID, e.Source, string(e.Kind)}, "") {
			t.Fatalf("not complete: %+v", e)
		}
		if _, err := json.Marshal(e); err != nil {
			t.Fatalf("cannot be passed on: %v", err)
		}
		if strings.ContainsFunc(e.String(), unicode.IsControl) {
			t.Fatalf("control characters in %q", e.String())
		}
	}
	for _, p := range got.Passed {
		if p.Place == "" || p.Reason == "" {
			t.Fatalf("not complete: %+v", p)
		}
	}
	if again, err := event.Decode(format, m, event.Fields{}); err != nil || !reflect.DeepEqual(got, again) {
		t.Fatal("the same message gave another result")
	}
}
