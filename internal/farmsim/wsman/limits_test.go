package wsman_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/farmsim/wsman"
)

// TestQuotas checks that quotas are counted for each user and returned when a
// shell ends.
func TestQuotas(t *testing.T) {
	t.Parallel()
	k := talk(t, start(t, func(o *wsman.Options) { o.MaxShellsPerUser = 2; o.MaxOperations = 2 }))
	k.open("")
	k.open("")
	second := k.shell
	if got, want := k.open("").fault(), "500 s:Sender/w:QuotaLimit 2150859173"; got != want {
		t.Errorf("a third shell: %s, want %s", got, want)
	}
	k.user = `CONTOSO\` + user
	if r := k.open(""); r.Status != 200 {
		t.Errorf("another user's shell: %s", r.fault())
	}
	k.user, k.shell = user, second
	for range 2 {
		c := k.start("hostname").Body.CommandID
		k.receive(c)
		k.signal(c, "terminate")
	}
	if got, want := k.start("hostname").fault(), "500 s:Sender/w:QuotaLimit 2150859174"; got != want {
		t.Errorf("a third command: %s, want %s", got, want)
	}
	k.close()
	k.open("")
	if r := k.start("hostname"); r.Status != 200 {
		t.Errorf("a command in a new shell: %s", r.fault())
	}
}

func TestIdle(t *testing.T) {
	t.Parallel()
	t.Run("an idle shell is forgotten", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		k := talk(t, w)
		if r := k.open("<rsp:IdleTimeOut>PT0.5S</rsp:IdleTimeOut>"); r.Body.Idle != "PT0.500S" {
			t.Errorf("idle timeout %q", r.Body.Idle)
		}
		if r := k.start("sleep"); r.Status != 200 {
			t.Fatalf("Command: %s", r.fault())
		}
		<-w.machine.ended
		eventually(t, func() bool { return w.Stats().Shells == 0 })
		if got := k.close().fault(); got != unknown {
			t.Errorf("Delete: %s", got)
		}
	})
	t.Run("a shell does not idle while a Receive waits", func(t *testing.T) {
		t.Parallel()
		k := talk(t, start(t))
		k.open("<rsp:IdleTimeOut>PT1S</rsp:IdleTimeOut>")
		c := k.start("cat").Body.CommandID
		k.timeout = "PT2S"
		if got := k.receive(c).fault(); got != timedOut {
			t.Fatalf("Receive: %s", got)
		}
		if r := k.send(c, "x", "true"); r.Status != 200 {
			t.Errorf("Send: %s", r.fault())
		}
	})
}

func TestLimits(t *testing.T) {
	t.Parallel()
	t.Run("an envelope above the limit is refused and the connection kept", func(t *testing.T) {
		t.Parallel()
		w := start(t, func(o *wsman.Options) { o.MaxEnvelopeKB = 10 })
		k := talk(t, w)
		for _, size := range []int{10 * 1024, 1 << 20} {
			res, err := k.post(k.envelope(transferURI+"/Create", "<x>"+strings.Repeat("x", size)+"</x>"))
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("%d bytes: status %d", size, res.StatusCode)
			}
		}
		if r := k.open(""); r.Status != 200 {
			t.Errorf("afterwards: status %d", r.Status)
		}
		if s := w.Stats(); s.Opened != 1 {
			t.Errorf("%d connections", s.Opened)
		}
	})
	t.Run("a line that cmd cannot take is not run and exits zero", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		k := talk(t, w)
		k.open("")
		r := k.receive(k.start("echo", strings.Repeat("x", 8192)).Body.CommandID)
		if r.stdout(t) != "" || r.Body.State.Exit == nil || *r.Body.State.Exit != 0 {
			t.Errorf("stdout %q, exit code %v", r.stdout(t), r.Body.State.Exit)
		}
		if got := w.machine.commands(); len(got) != 0 {
			t.Errorf("commands that ran: %d", len(got))
		}
	})
}
