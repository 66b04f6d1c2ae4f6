package winrm

import (
	"strings"
	"testing"

	"github.com/masterzen/winrm"
)

func TestMessagesAreAmendedAsWindowsWantsThem(t *testing.T) {
	t.Parallel()
	p := winrm.NewParameters("PT20S", "en-US", envelopeSize)
	for name, c := range map[string]struct {
		message string
		last    bool
		want    string
	}{
		"an orphaned shell ends soon":         {winrm.NewOpenShellRequest("u", p).String(), false, "<rsp:IdleTimeOut>PT180S</rsp:IdleTimeOut><rsp:InputStreams>"},
		"standard input is no console":        {winrm.NewExecuteCommandRequest("u", "s", "c", nil, p).String(), false, `"WINRS_CONSOLEMODE_STDIN">FALSE<`},
		"the last input says so":              {winrm.NewSendInputRequest("u", "s", "c", []byte("x"), false, p).String(), true, `Name="stdin" End="true"`},
		"other input does not":                {winrm.NewSendInputRequest("u", "s", "c", []byte("x"), false, p).String(), false, `Name="stdin" CommandId`},
		"a request for output stays as it is": {winrm.NewGetOutputRequest("u", "s", "c", "stdout stderr", p).String(), false, "stdout stderr"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := amend(actionOf(c.message), c.message, c.last)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(strings.ReplaceAll(got, "\n", ""), c.want) {
				t.Errorf("got %s, want %s in it", got, c.want)
			}
		})
	}
}

func TestAMessageThatMasterzenNoLongerWritesSoIsRefused(t *testing.T) {
	t.Parallel()
	if got, err := amend(createAction, "<rsp:Shell/>", false); err == nil {
		t.Errorf("got %q, want an error", got)
	}
}

func TestTheLargestPieceOfInputFitsTheEnvelope(t *testing.T) {
	t.Parallel()
	p := winrm.NewParameters("PT20S", "en-US", envelopeSize)
	id := strings.Repeat("0", 100) // nearly three times a UUID
	text := winrm.NewSendInputRequest("https://"+strings.Repeat("h", 253)+":65535/wsman", id, id, make([]byte, sendSize), false, p).String()
	if text, err := amend(sendAction, text, true); err != nil || len(text) > envelopeSize {
		t.Errorf("got %d bytes (%v), at most %d fit", len(text), err, envelopeSize)
	}
}
