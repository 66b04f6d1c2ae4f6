package intake_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/event"
)

// syslogNG is a running syslog-ng that sends events of Windows on to a door.
type syslogNG struct {
	input net.Conn
	log   *output
}

// startSyslogNG runs syslog-ng until the test ends, as the page configures it, but for the
// minute that it waits before it sends again.
func (d *door) startSyslogNG(t *testing.T, token string) syslogNG {
	t.Helper()
	folder := t.TempDir()
	socket, file := filepath.Join(folder, "in"), filepath.Join(folder, "syslog-ng.conf")
	writeFile(t, file, []byte("@version: 3.38\nsource s_windows { unix-stream(\""+socket+"\" flags(syslog-protocol)); };\n"+
		blockOf(t, "# syslog-ng.conf", "https://door.contoso.com:8443", d.url, "/etc/syslog-ng/contoso-ca.pem", d.authorityFile(t),
			"  http(\n", "  http(\n    time-reopen(1)\n")))
	command := exec.CommandContext(t.Context(), findSender(t, "syslog-ng"), "--foreground", "--stderr", "--debug", "--no-caps", "--cfgfile="+file,
		"--persist-file="+filepath.Join(folder, "persist"), "--pidfile="+filepath.Join(folder, "pid"), "--control="+filepath.Join(folder, "control"))
	command.Env = append(os.Environ(), "FARMTRUST_TOKEN="+token, "NO_PROXY=127.0.0.1")
	s := syslogNG{log: startSender(t, command)}
	await(t, "syslog-ng listens", func() (listens bool) {
		var err error
		s.input, err = net.Dial("unix", socket)
		return err == nil
	})
	t.Cleanup(func() { _ = s.input.Close() })
	return s
}

func (s syslogNG) send(t *testing.T, messages ...string) {
	t.Helper()
	for _, m := range messages {
		if _, err := fmt.Fprintf(s.input, "<14>1 2026-01-05T06:00:00Z OOS1.contoso.com - - - - %s\n", m); err != nil {
			t.Fatal(err)
		}
	}
}

// awaitLog waits until so many lines of syslog-ng's log match.
func (s syslogNG) awaitLog(t *testing.T, line string, times int) {
	t.Helper()
	matches := regexp.MustCompile(line)
	await(t, fmt.Sprintf("syslog-ng says %s, %d times", line, times), func() bool { return len(matches.FindAllString(s.log.String(), -1)) >= times })
}

// windowsEvent is an event of Windows in one line, as it is rendered there.
func windowsEvent(t *testing.T, record int) string {
	t.Helper()
	sample, err := os.ReadFile("../event/testdata/lifecycle-system.1003.about-to-expire.DERIVED.xml")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`>\s+<`).ReplaceAllString(strings.TrimSpace(string(sample)), "><")
	return strings.Replace(line, "<EventRecordID>42<", fmt.Sprintf("<EventRecordID>%d<", record), 1)
}

// openForWindows opens a door for the source of Windows' events of the page.
func openForWindows(t *testing.T) *door {
	t.Helper()
	s := bearer(t, "windows", "contoso")
	s.Format = event.Windows
	return openDoor(t, []config.Sender{s})
}

func TestSender_SyslogNGSendsAgainWhatIsNotStored(t *testing.T) {
	t.Parallel()
	d := openForWindows(t)
	d.store.set(errors.New("Temporal is away"), 0)
	s := d.startSyslogNG(t, newSecret)
	s.send(t, windowsEvent(t, 1))
	s.awaitLog(t, `status_code='503'`, 1)
	s.send(t, windowsEvent(t, 2), windowsEvent(t, 3))
	s.awaitLog(t, `Incoming log entry`, 3)
	d.store.set(nil, 0)
	s.awaitLog(t, `status_code='202'.* batch_size='1'`, 1)
	s.awaitLog(t, `status_code='202'.* batch_size='2'`, 1)
	if kept := distinct(d.store.of("windows")); len(kept) != 3 {
		t.Errorf("stored %s", kept)
	}
}

func TestSender_SyslogNGDropsWhatIsRefused(t *testing.T) {
	t.Parallel()
	d := openForWindows(t)
	s := d.startSyslogNG(t, newSecret)
	withoutCertificate := strings.Replace(windowsEvent(t, 1), "Thumbprint=", "Other=", 1)
	for i, refused := range []struct{ message, status string }{
		{"<Event><EventID>1003</EventID>", "400"}, {withoutCertificate, "422"},
	} {
		s.send(t, refused.message)
		s.awaitLog(t, `status_code='`+refused.status+`'`, 1)
		s.awaitLog(t, `Message\(s\) dropped`, i+1)
	}
	s.send(t, windowsEvent(t, 2))
	await(t, "the next event has come", func() bool { return len(d.store.of("windows")) == 1 })
}

func TestSender_SyslogNGSendsAgainWhereItsSecretIsWrong(t *testing.T) {
	t.Parallel()
	d := openForWindows(t)
	s := d.startSyslogNG(t, "a guess")
	s.send(t, windowsEvent(t, 1))
	s.awaitLog(t, `status_code='401'.* batch_size`, 2)
	if kept := d.store.of("windows"); len(kept) > 0 {
		t.Errorf("stored %s", kept)
	}
}
