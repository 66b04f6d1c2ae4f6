package winrm

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/masterzen/winrm"
)

// testMessages are addressed to a server with the longest name that DNS allows.
var testMessages = newMessages("https://"+strings.Repeat("h", 253)+":65535/wsman", 20*time.Second)

func TestMessages(t *testing.T) {
	t.Parallel()
	url, p := testMessages.url, testMessages.parameters
	for name, c := range map[string]struct {
		got, masterzen string
		// old and new are what differs from masterzen's.
		old, new string
	}{
		"create shortens the life of an orphaned shell": {
			testMessages.createShell().String(), winrm.NewOpenShellRequest(url, p).String(),
			"<rsp:InputStreams>", "<rsp:IdleTimeOut>PT180S</rsp:IdleTimeOut>\n<rsp:InputStreams>",
		},
		"command starts without a console": {
			testMessages.startCommand("s", "c").String(), winrm.NewExecuteCommandRequest(url, "s", "c", nil, p).String(),
			`"WINRS_CONSOLEMODE_STDIN">TRUE<`, `"WINRS_CONSOLEMODE_STDIN">FALSE<`,
		},
		"send marks the last input": {
			testMessages.sendInput("s", "c", []byte("x"), true).String(), winrm.NewSendInputRequest(url, "s", "c", []byte("x"), false, p).String(),
			`CommandId="c"`, `CommandId="c" End="true"`,
		},
		"send does not mark other input": {
			got: testMessages.sendInput("s", "c", []byte("x"), false).String(), masterzen: winrm.NewSendInputRequest(url, "s", "c", []byte("x"), false, p).String(),
		},
		"receive asks for both streams": {
			got: testMessages.receiveOutput("s", "c").String(), masterzen: winrm.NewGetOutputRequest(url, "s", "c", "stdout stderr", p).String(),
		},
		"delete names the shell": {
			got: testMessages.deleteShell("s").String(), masterzen: winrm.NewDeleteShellRequest(url, "s", p).String(),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.old != "" && strings.Count(c.masterzen, c.old) != 1 {
				t.Fatalf("%q is not in masterzen's message exactly once: %s", c.old, c.masterzen)
			}
			want := strings.Replace(c.masterzen, c.old, c.new, 1)
			want = strings.ReplaceAll(strings.ReplaceAll(want, "<![CDATA[", ""), "]]>", "")
			if diff := cmp.Diff(withoutMessageID(t, want), withoutMessageID(t, c.got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// withoutMessageID takes the one part out of a message that is different in
// each, and demands that it is a UUID.
func withoutMessageID(t *testing.T, message string) string {
	t.Helper()
	id := regexp.MustCompile(`<a:MessageID>uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}</a:MessageID>`)
	if n := len(id.FindAllString(message, -1)); n != 1 {
		t.Fatalf("%d message IDs, want 1: %s", n, message)
	}
	return id.ReplaceAllString(message, "")
}

func TestMessages_Size(t *testing.T) {
	t.Parallel()
	t.Run("the largest piece of input fits in the envelope", func(t *testing.T) {
		t.Parallel()
		id := strings.Repeat("0", 100) // nearly three times a UUID
		if text := testMessages.sendInput(id, id, make([]byte, sendSize), true).String(); len(text) > envelopeSize {
			t.Errorf("got %d bytes, at most %d fit", len(text), envelopeSize)
		}
	})
}
