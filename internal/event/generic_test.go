package event_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/event"
)

// scanner maps the events of a scanner that nobody has heard of.
var scanner = event.Fields{
	Name: "scanner", Events: "report.items", ID: "uid", Kind: "state.what", Kinds: map[string]event.Kind{"DUE": event.NearExpiry, "gone": event.Expired},
	Time: "seen", NotAfter: `cert."not.after"`, Thumbprint: "cert.hashes[1]", Serial: "cert.serial", Subject: "cert.dn", Names: "cert.names",
	Labels: map[string]string{"team": "owner", "port": "port"},
}

func scannerItem(changes map[string]any) string {
	item := map[string]any{
		"uid": 42, "state": map[string]any{"what": "DUE"}, "seen": 1767592800, "owner": "office", "port": 443,
		"cert": map[string]any{
			"not.after": "2026-02-04T21:07:39+01:00", "hashes": []string{"none", "\u200edb 0f ea 9b 64 1f 38 14 fc 51 68 ae 83 ef 78 39 af 1b b0 12"},
			"serial": json.Number("1715004"), "dn": "CN=oos", "names": []string{"oos.contoso.com", "", "OOS.contoso.com"},
		},
	}
	for name, v := range changes {
		if after, ok := strings.CutPrefix(name, "cert."); ok {
			item["cert"].(map[string]any)[after] = v
		} else {
			item[name] = v
		}
	}
	body, err := json.Marshal(item)
	if err != nil {
		panic(err)
	}
	return string(body)
}

func TestDecode_Generic(t *testing.T) {
	want := event.Expiry{
		ID: "42", Source: "scanner", Kind: event.NearExpiry, Time: time.Date(2026, 1, 5, 6, 0, 0, 0, time.UTC),
		Thumbprint: "DB0FEA9B641F3814FC5168AE83EF7839AF1BB012", Serials: []string{"1715004", "1A2B3C"},
		Subject: "CN=oos", Names: []string{"oos.contoso.com"}, Labels: map[string]string{"team": "office", "port": "443"},
		NotAfter: time.Date(2026, 2, 4, 20, 7, 39, 0, time.UTC),
	}
	decodeItem := func(t *testing.T, fields event.Fields, item string) (event.Batch, error) {
		t.Helper()
		return event.Decode(event.Generic, event.Message{Body: []byte(`{"report":{"items":[` + item + `]}}`)}, fields)
	}

	t.Run("the field map says where everything is", func(t *testing.T) {
		got, err := decodeItem(t, scanner, scannerItem(nil))
		if diff := cmp.Diff(event.Batch{Events: []event.Expiry{want}}, got); err != nil || diff != "" {
			t.Error(err, diff)
		}
	})

	t.Run("a thumbprint of 64 digits is the other one", func(t *testing.T) {
		got, err := decodeItem(t, scanner, scannerItem(map[string]any{"cert.hashes": []string{"", strings.Repeat("0f:", 31) + "0f"}}))
		if err != nil || got.Events[0].SHA256 != strings.Repeat("0F", 32) || got.Events[0].Thumbprint != "" {
			t.Errorf("got %+v, %v", got, err)
		}
	})

	t.Run("names of kinds are known", func(t *testing.T) {
		for sent, kind := range map[string]event.Kind{"gone": event.Expired, "near-expiry": event.NearExpiry, "Expired": event.Expired, "NEW_VERSION": event.NewVersion} {
			got, err := decodeItem(t, scanner, scannerItem(map[string]any{"state": map[string]any{"what": sent}}))
			if err != nil || got.Events[0].Kind != kind {
				t.Errorf("%q: got %+v, %v", sent, got, err)
			}
		}
	})

	t.Run("a document may be on each line, as log shippers send them", func(t *testing.T) {
		body := readSample(t, "generic.lines.PROPOSED.ndjson")
		for claim, c := range map[string]struct {
			contentType string
			body        []byte
			want        int
		}{
			"several lines":                  {"application/x-ndjson", body, 3},
			"several lines of a file":        {"", body, 3},
			"one line, where it is named so": {"application/x-ndjson; charset=utf-8", body[:bytes.IndexByte(body, '\n')], 2},
		} {
			t.Run(claim, func(t *testing.T) {
				m := event.Message{Header: http.Header{"Content-Type": {c.contentType}}, Body: c.body}
				got, err := event.Decode(event.Generic, m, event.Fields{Name: "scanner", Events: "found", ID: "uid", Names: "name"})
				var all []string
				for _, e := range got.Events {
					all = append(all, e.ID+" "+strings.Join(e.Names, " "))
				}
				if diff := cmp.Diff([]string{"1 a.contoso.com", "2 b.contoso.com", "3 c.contoso.com"}[:c.want], all); err != nil || diff != "" {
					t.Error(err, diff)
				}
			})
		}
		_, err := event.Decode(event.Generic, event.Message{Body: append(bytes.Clone(body), "{}\n"...)}, event.Fields{Events: "found"})
		if err == nil || !strings.Contains(err.Error(), "line 3.found: is missing") {
			t.Errorf("a line without events: got %v", err)
		}
		many := strings.Repeat(`{"found":[`+strings.Repeat("{},", 599)+"{}]}\n", 2)
		if _, err := event.Decode(event.Generic, event.Message{Body: []byte(many)}, event.Fields{Events: "found"}); !errors.Is(err, event.ErrTooLarge) {
			t.Errorf("1,200 events on two lines: got %v", err)
		}
	})

	t.Run("any other kind is passed over, complete or not", func(t *testing.T) {
		got, err := decodeItem(t, scanner, scannerItem(nil)+`,{"state":{"what":"fine"}}`)
		if err != nil || len(got.Events) != 1 || len(got.Passed) != 1 {
			t.Fatalf("got %+v, %v", got, err)
		}
		if diff := cmp.Diff(event.Passed{
			Place:  "report.items[1]",
			Reason: `state.what is "fine", which is not about the expiry of a certificate; if it is, say in fields.kinds of this source what it means`,
		}, got.Passed[0]); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("one without its kind is passed over, and says so", func(t *testing.T) {
		got, err := decodeItem(t, scanner, scannerItem(map[string]any{"state": nil}))
		if err != nil || len(got.Passed) != 1 || got.Passed[0].Reason != "has no state.what, which says what happened; if that is elsewhere, correct fields.kind of this source" {
			t.Errorf("got %+v, %v", got, err)
		}
	})

	t.Run("without an ID the content tells events apart", func(t *testing.T) {
		fields := event.Fields{Names: "name"}
		got, err := event.Decode(event.Generic, event.Message{Body: []byte(`[{"name":"a","n":1},{"n":1,"name":"a"},{"name":"a","n":2}]`)}, fields)
		if err != nil || len(got.Events) != 3 {
			t.Fatalf("got %+v, %v", got, err)
		}
		one, same, other := got.Events[0], got.Events[1], got.Events[2]
		if one.ID != same.ID || one.ID == other.ID || one.Kind != event.NearExpiry || one.Source != "generic" {
			t.Errorf("got %+v", got.Events)
		}
	})

	t.Run("a source whose farms are configured needs no fields", func(t *testing.T) {
		got, err := event.Decode(event.Generic, event.Message{Body: []byte(`{"anything":"at all"}`)}, event.Fields{Name: "pager"})
		if err != nil || len(got.Events) != 1 || got.Events[0].Source != "pager" {
			t.Errorf("got %+v, %v", got, err)
		}
	})

	t.Run("what is missing or wrong is named with its path", func(t *testing.T) {
		for claim, c := range map[string]struct {
			item  string
			class error
			want  string
		}{
			"no ID":          {scannerItem(map[string]any{"uid": nil}), event.ErrInvalid, "report.items[0]: has no uid; send it: events are told apart by it"},
			"a list as ID":   {scannerItem(map[string]any{"uid": []int{1}}), event.ErrInvalid, "report.items[0].uid: is not a string"},
			"no identity":    {scannerItem(map[string]any{"cert": nil}), event.ErrIncomplete, "report.items[0]: identifies no certificate: it has none of cert.hashes[1], cert.serial, cert.dn, cert.names; send one of them"},
			"bad thumbprint": {scannerItem(map[string]any{"cert.hashes": []string{"", "12"}}), event.ErrInvalid, `report.items[0].cert.hashes[1]: thumbprint "12" is not 40 or 64`},
			"bad serial":     {scannerItem(map[string]any{"cert.serial": "x"}), event.ErrInvalid, `report.items[0].cert.serial: serial number "x" is not`},
			"bad end":        {scannerItem(map[string]any{"cert.not.after": "soon"}), event.ErrInvalid, `"soon" is not a time; send RFC 3339, or seconds since 1970`},
			"bad label":      {scannerItem(map[string]any{"owner": "a\x1b[2J"}), event.ErrInvalid, "report.items[0].owner: has control characters"},
			"bad names":      {scannerItem(map[string]any{"cert.names": []any{1}}), event.ErrInvalid, "report.items[0].cert.names[0]: is not a string"},
		} {
			t.Run(claim, func(t *testing.T) {
				_, err := decodeItem(t, scanner, c.item)
				assertRefused(t, err, c.class, c.want)
			})
		}
		for body, want := range map[string]string{
			`[]`:                       "body: holds no event",
			`{"report":{}}`:            "report.items: is missing; send it, or correct fields.events",
			`{"report":{"items":"x"}}`: "report.items: is not a JSON object",
		} {
			if _, err := event.Decode(event.Generic, event.Message{Body: []byte(body)}, scanner); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %s", body, err, want)
			}
		}
	})
}

func TestCheckPath(t *testing.T) {
	for _, path := range []string{"a", "data.cert.serial", "[0]", "a[0][1].b", `a."b.c"[2]`, `"\""`, "überschrift"} {
		if err := event.CheckPath(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	for path, want := range map[string]string{
		"": "a path is empty", ".a": "a name is missing", "a.": "a name is missing", "a..b": "a name is missing", "a[": "write an element as [0]",
		"a[x]": "write an element as [0]", "a[-1]": "write an element as [0]", "a[0]b": "write a dot before", `a"b"`: "write a dot before", `"a`: "a name is missing",
		strings.Repeat("[0]", 65): "more than 64 steps",
	} {
		if err := event.CheckPath(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", path, err, want)
		}
	}
}

func FuzzCheckPath(f *testing.F) {
	f.Add("data.cert.serial", []byte(`{"data":{"cert":{"serial":"1"}}}`))
	f.Add(`a[0]."b.c"`, []byte(`{"a":[{"b.c":"x"}]}`))
	f.Fuzz(func(t *testing.T, path string, body []byte) {
		if event.CheckPath(path) != nil {
			return
		}
		fields := event.Fields{Events: path, ID: path, Kind: path, Time: path, Serial: path, Thumbprint: path, Names: path, Labels: map[string]string{"l": path}}
		for _, events := range []string{"", path} {
			fields.Events = events
			if b, err := event.Decode(event.Generic, event.Message{Body: body}, fields); err == nil && len(b.Events)+len(b.Passed) == 0 {
				t.Fatal("neither events nor an error")
			} else if err != nil {
				if _, ok := errors.AsType[*event.Error](err); !ok {
					t.Fatalf("got %#v", err)
				}
			}
		}
	})
}
