package wsman_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farmsim/wsman"
)

const (
	timedOut       = "500 s:Receiver/w:TimedOut 2150858793"
	unknown        = "500 s:Sender/w:InvalidSelectors 2150858843"
	parameter      = "500 s:Sender/w:InvalidParameter 87"
	aborted        = "500 s:Receiver/w:InternalError 995"
	stateOfDone    = shellURI + "/CommandState/Done"
	stateOfRunning = shellURI + "/CommandState/Running"
)

// TestShell checks that a shell is named twice, and replies relate to their
// requests.
func TestShell(t *testing.T) {
	t.Parallel()
	k := talk(t, start(t))
	r := k.open("")
	if r.Status != 200 || r.Body.Shell == "" || r.Body.Shell != r.Body.Selector {
		t.Errorf("shell %q, selector %q, status %d", r.Body.Shell, r.Body.Selector, r.Status)
	}
	if r.RelatesTo != "uuid:1234" || r.Action != transferURI+"/CreateResponse" || r.Body.Idle != "PT7200.000S" {
		t.Errorf("relates to %q, action %q, idle %q", r.RelatesTo, r.Action, r.Body.Idle)
	}
	if got := k.ask(transferURI+"/Get", "").Body.Shell; got != k.shell {
		t.Errorf("Get describes shell %q, want %q", got, k.shell)
	}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	t.Run("arguments may be repeated or joined", func(t *testing.T) {
		t.Parallel()
		k := talk(t, start(t))
		k.open("")
		for _, arguments := range [][]string{{"a", "b"}, {"a b"}} {
			c := k.start("echo", arguments...).Body.CommandID
			if got := k.receive(c).stdout(t); got != "a b\r\n" {
				t.Errorf("arguments %q: %q", arguments, got)
			}
		}
	})
	t.Run("the client may name its command", func(t *testing.T) {
		t.Parallel()
		k := talk(t, start(t))
		k.open("")
		const id = "2D6534D0-6B12-40E3-B773-CBA26459CFA8"
		body := `<r:CommandLine xmlns:r="` + shellURI + `" CommandId="` + id + `"><r:Command>hostname</r:Command></r:CommandLine>`
		if got := k.ask(shellURI+"/Command", body).Body.CommandID; got != id {
			t.Errorf("command %q", got)
		}
		if got := k.ask(shellURI+"/Command", body).fault(); got != parameter {
			t.Errorf("the same name again: %s", got)
		}
	})
	t.Run("input ends in either spelling and in pieces", func(t *testing.T) {
		t.Parallel()
		k := talk(t, start(t))
		k.open("")
		for _, end := range []string{"true", "True"} {
			c := k.start("cat").Body.CommandID
			k.send(c, "one ", "false")
			k.send(c, "two", end)
			r := k.receive(c)
			if got := r.stdout(t); got != "one two" || r.Body.State.State != stateOfDone {
				t.Errorf("End=%q: stdout %q, state %q", end, got, r.Body.State.State)
			}
		}
	})
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	t.Run("Receive times out until the command has ended", func(t *testing.T) {
		t.Parallel()
		k := talk(t, start(t))
		k.open("")
		c := k.start("cat").Body.CommandID
		k.timeout = "PT0.05S"
		if got := k.receive(c).fault(); got != timedOut {
			t.Errorf("without input: %s", got)
		}
		k.timeout = "PT5S"
		k.send(c, "x", "true")
		if got := k.receive(c).stdout(t); got != "x" {
			t.Errorf("with input: %q", got)
		}
	})
	t.Run("the server caps the timeout of an operation", func(t *testing.T) {
		t.Parallel()
		k := talk(t, start(t, func(o *wsman.Options) { o.OperationTimeout = 20 * time.Millisecond }))
		k.open("")
		k.timeout = "PT1H"
		if got := k.receive(k.start("cat").Body.CommandID).fault(); got != timedOut {
			t.Errorf("fault %q", got)
		}
	})
}

// TestOutput_Pieces checks that output comes in pieces that cut characters.
func TestOutput_Pieces(t *testing.T) {
	t.Parallel()
	k := talk(t, start(t, func(o *wsman.Options) { o.StreamBytes = 2; o.MaxEnvelopeKB = 5 }))
	k.options = `<wm:OptionSet><wm:Option Name="WINRS_CODEPAGE">65001</wm:Option></wm:OptionSet>`
	k.open("")
	want := strings.Repeat("aé€", 10)
	c := k.start("echo", want).Body.CommandID
	var got string
	var running, pieces int
	for {
		r := k.receive(c)
		got += r.stdout(t)
		pieces += len(r.Body.Streams)
		if r.Body.State.State == stateOfDone {
			if r.Body.State.Exit == nil || *r.Body.State.Exit != 0 {
				t.Errorf("exit code %v", r.Body.State.Exit)
			}
			break
		}
		if r.Body.State.State != stateOfRunning || r.Body.State.Exit != nil {
			t.Fatalf("state %q, exit code %v, fault %s", r.Body.State.State, r.Body.State.Exit, r.fault())
		}
		running++
	}
	if got != want+"\r\n" {
		t.Errorf("got %q", got)
	}
	if running == 0 || pieces < 30 {
		t.Errorf("%d replies in between, %d pieces", running, pieces)
	}
	if got := k.receive(c).fault(); got != unknown {
		t.Errorf("a Receive after the last reply: %s", got)
	}
}

// TestOutput_CodePage checks that output is in the code page of the shell.
func TestOutput_CodePage(t *testing.T) {
	t.Parallel()
	k := talk(t, start(t))
	for page, want := range map[string]string{
		"65001": "é€\r\n", "437": "\x82?\r\n", "1252": "\xe9\x80\r\n", "932": "??\r\n",
	} {
		k.options = `<wm:OptionSet><wm:Option Name="WINRS_CODEPAGE">` + page + `</wm:Option></wm:OptionSet>`
		k.open("")
		if got := k.receive(k.start("echo", "é€").Body.CommandID).stdout(t); got != want {
			t.Errorf("code page %s: %q, want %q", page, got, want)
		}
	}
}

// TestSignal checks that a signal ends the command and forgets it.
func TestSignal(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"terminate", "ctrl_c"} {
		w := start(t)
		k := talk(t, w)
		k.open("")
		c := k.start("sleep").Body.CommandID
		if r := k.signal(c, code); r.Status != 200 {
			t.Errorf("%s: status %d", code, r.Status)
		}
		<-w.machine.ended
		if got := k.receive(c).fault(); got != unknown {
			t.Errorf("%s: a Receive afterwards: %s", code, got)
		}
	}
}

// TestDelete checks that Delete ends commands and their Receives.
func TestDelete(t *testing.T) {
	t.Parallel()
	w := start(t)
	k := talk(t, w)
	k.open("")
	c := k.start("sleep").Body.CommandID
	waiting := make(chan string)
	go func() {
		r, err := k.try(shellURI+"/Receive", receiveBody(c))
		if err != nil {
			t.Error(err)
		}
		waiting <- r.fault()
	}()
	eventually(t, func() bool { return w.Stats().Actions["Receive"] == 1 })
	if r := k.close(); r.Status != 200 {
		t.Errorf("Delete: status %d", r.Status)
	}
	<-w.machine.ended
	if got := <-waiting; got != aborted && got != unknown { // the Receive may just have arrived
		t.Errorf("the waiting Receive: %s", got)
	}
	if got := k.receive(c).fault(); got != unknown {
		t.Errorf("a Receive afterwards: %s", got)
	}
	if s := w.Stats(); s.Shells != 0 || s.Commands != 0 {
		t.Errorf("left: %+v", s)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	w := start(t)
	k := talk(t, w)
	k.open("")
	mine := k.shell
	got := map[string]string{}
	got["no command named"] = k.receive("").fault()
	got["unknown command"] = k.receive("nope").fault()
	got["input for an unknown command"] = k.send("nope", "x", "true").fault()
	got["signal for an unknown command"] = k.signal("nope", "terminate").fault()
	got["empty command line"] = k.start(" ").fault()
	got["program not found"] = k.receive(k.start("missing").Body.CommandID).fault()
	got["other error of the host"] = k.receive(k.start("broken").Body.CommandID).fault()
	k.shell = "nope"
	got["unknown shell"] = k.start("hostname").fault()
	k.shell, k.user = mine, `CONTOSO\`+user
	got["another user's shell"] = k.start("hostname").fault()
	k.user = user
	got["unknown action of a shell"] = k.ask(shellURI+"/Disconnect", "").fault()
	k.timeout = "PT-1S"
	got["negative timeout"] = k.start("hostname").fault()
	k.timeout, k.resource = "PT5S", "http://schemas.microsoft.com/powershell/Microsoft.PowerShell"
	got["unknown resource"] = k.open("").fault()
	want := map[string]string{
		"no command named":              parameter,
		"unknown command":               unknown,
		"input for an unknown command":  unknown,
		"signal for an unknown command": unknown,
		"empty command line":            parameter,
		"program not found":             "500 s:Receiver/w:InternalError 2147942402",
		"other error of the host":       "500 s:Receiver/w:InternalError 2147500037",
		"unknown shell":                 unknown,
		"another user's shell":          unknown,
		"unknown action of a shell":     "500 s:Sender/w:ActionMismatch 2150858801",
		"negative timeout":              "500 s:Sender/a:InvalidMessageInformationHeader 2150858767",
		"unknown resource":              "500 s:Sender/a:DestinationUnreachable 2150858811",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEnvelope(t *testing.T) {
	t.Parallel()
	t.Run("the configuration tells the maximum size", func(t *testing.T) {
		t.Parallel()
		k := talk(t, start(t, func(o *wsman.Options) { o.MaxEnvelopeKB = 150 }))
		k.resource = "http://schemas.microsoft.com/wbem/wsman/1/config"
		if got := k.ask(transferURI+"/Get", "").Body.Envelope; got != 150 {
			t.Errorf("%d KiB", got)
		}
	})
	t.Run("a body that is no envelope is refused", func(t *testing.T) {
		t.Parallel()
		k := talk(t, start(t))
		for _, body := range []string{"x", "<a/>", "<Envelope/>", k.envelope(transferURI+"/Create", "") + "<more/>"} {
			res, err := k.post(body)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != http.StatusInternalServerError {
				t.Errorf("%.20q: status %d", body, res.StatusCode)
			}
		}
	})
}

// eventually waits until a state is reached that no event announces.
func eventually(t *testing.T, reached func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !reached(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the state was not reached")
		}
	}
}
