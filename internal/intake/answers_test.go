package intake_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/event"
)

// eventsPage is the page that tells administrators what the door answers.
func eventsPage(t *testing.T, heading string) (rows [][]string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n"+heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	if !found {
		t.Fatalf("docs/events.md has no %q", heading)
	}
	for line := range strings.Lines(section) {
		if cells := strings.Split(strings.TrimSpace(line), "|"); len(cells) > 2 {
			rows = append(rows, cells[1:len(cells)-1])
		}
	}
	return rows[2:]
}

func statusesIn(text string) []string {
	return regexp.MustCompile(`\b[245]\d\d\b`).FindAllString(text, -1)
}

// windows is a source of Windows events.
func windows(t *testing.T) config.Sender {
	t.Helper()
	s := bearer(t, "windows", "contoso")
	s.Format = event.Windows
	return s
}

func TestDoor_AnswersWhatThePageSays(t *testing.T) {
	d := openDoor(t, []config.Sender{bearer(t, "pki", "contoso"), windows(t)})
	token := withToken(newSecret)
	got := map[string]bool{}
	for claim, send := range map[string]func() reply{
		"stored":         func() reply { return d.post(t, "pki", cloudEvent("1"), token...) },
		"asks no more":   func() reply { return d.post(t, "windows", `{"event_id":4624}`, token...) },
		"not the format": func() reply { return d.post(t, "pki", "no", token...) },
		"no proof":       func() reply { return d.post(t, "pki", cloudEvent("1")) },
		"no such source": func() reply { return d.post(t, "other", cloudEvent("1"), token...) },
		"too large":      func() reply { return d.post(t, "pki", strings.Repeat("x", event.MaxBody+1), token...) },
		"too many":       func() reply { return d.post(t, "windows", strings.Repeat("{}\n", 1001), token...) },
		"compressed": func() reply {
			return d.post(t, "pki", cloudEvent("1"), append(slices.Clone(token), "Content-Encoding", "gzip")...)
		},
		"identity is lost": func() reply {
			return d.post(t, "windows", `{"event_id":1003,"provider_name":"Microsoft-Windows-CertificateServicesClient-Lifecycle-System"}`, append(slices.Clone(token), "Content-Type", "application/json")...)
		},
		"not a POST": func() reply {
			r, err := d.try(d.client, http.MethodPut, "/events/pki", nil, token...)
			if err != nil {
				t.Fatal(err)
			}
			return r
		},
		"not stored": func() reply {
			d.store.set(errors.New("Temporal is away"), 0)
			defer d.store.set(nil, 0)
			return d.post(t, "pki", cloudEvent("2"), token...)
		},
	} {
		answer := send()
		if answer.status >= 300 && !strings.Contains(answer.text, `"error":"`) {
			t.Errorf("%s: the answer %d does not say why: %s", claim, answer.status, answer.text)
		}
		if again := answer.retryAfter != ""; again != (answer.status == http.StatusServiceUnavailable) {
			t.Errorf("%s: %d with Retry-After %q", claim, answer.status, answer.retryAfter)
		}
		got[fmt.Sprint(answer.status)] = true
	}
	var documented []string
	for _, row := range eventsPage(t, "## What the door answers") {
		documented = append(documented, statusesIn(row[0])...)
	}
	if given := slices.Sorted(maps.Keys(got)); !slices.Equal(given, documented) {
		t.Errorf("the door answers %s, docs/events.md lists %s", given, documented)
	}
}

func TestEachSenderIsSaidToDoSomethingWithEveryAnswer(t *testing.T) {
	var refusals []string
	for _, row := range eventsPage(t, "## What the door answers") {
		if status := strings.TrimSpace(row[0]); status != "202" {
			refusals = append(refusals, status)
		}
	}
	for _, row := range eventsPage(t, "## What senders do with it") {
		all := append(statusesIn(row[1]), statusesIn(row[2])...)
		slices.Sort(all)
		if !slices.Equal(all, refusals) {
			t.Errorf("%s: sends again or gives up after %s, the door refuses with %s", strings.TrimSpace(row[0]), all, refusals)
		}
	}
}
