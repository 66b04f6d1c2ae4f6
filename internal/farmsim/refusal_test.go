package farmsim_test

import (
	"bytes"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/masterzen/winrm"

	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// masterzen runs a command with standard input as another client would.
func masterzen(t *testing.T, testFarm *farmsim.Farm, command string, stdin []byte) (exit int, stdout, stderr string) {
	t.Helper()
	c := testFarm.Connections()[0]
	host, port, err := net.SplitHostPort(c.Address)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	endpoint := winrm.NewEndpoint(host, number, true, false, read(t, testFarm.CA()), nil, nil, 20*time.Second)
	client, err := winrm.NewClientWithParameters(endpoint, c.User, string(read(t, testFarm.Password())), winrm.NewParameters("PT5S", "en-US", 153600))
	if err != nil {
		t.Fatal(err)
	}
	var out, problems bytes.Buffer
	exit, err = client.RunWithContextWithInput(t.Context(), command, &out, &problems, bytes.NewReader(stdin))
	if err != nil {
		t.Fatal(err)
	}
	return exit, out.String(), problems.String()
}

// TestWire_OnlyShippedScripts checks that only the scripts that ship are run.
func TestWire_OnlyShippedScripts(t *testing.T) {
	t.Parallel()
	testFarm := start(t, farmsim.Options{Auth: model.Basic, OfficeServers: 1, SharePointServers: 1})
	const name, nonce = "Get-SharePointServer", "0123456789"
	source, err := powershell.Source(name)
	if err != nil {
		t.Fatal(err)
	}
	ours := powershell.Envelope{Prelude: powershell.Prelude(), Name: name, Script: source, Nonce: nonce, Params: []byte("{}")}
	sealed := func(change func(*powershell.Envelope)) []byte {
		e := ours
		change(&e)
		stdin, err := e.Seal()
		if err != nil {
			t.Fatal(err)
		}
		return stdin
	}
	untouched := sealed(func(*powershell.Envelope) {})
	for _, c := range []struct {
		name   string
		stdin  []byte
		exit   int
		stdout string
		stderr string
	}{
		{"as it ships", untouched, 0, "@@RESULT " + nonce, ""},
		{"changed script", sealed(func(e *powershell.Envelope) { e.Script += "\nGet-Process" }), 1, "", "'" + name + "' is not recognized"},
		{"changed prelude", sealed(func(e *powershell.Envelope) { e.Prelude += "\n" }), 1, "", "is not recognized"},
		{"unknown script", sealed(func(e *powershell.Envelope) { e.Name = "Get-Everything" }), 1, "", "'Get-Everything' is not recognized"},
		{"cut off", untouched[:len(untouched)/2], powershell.ExitBadStdin, "@@BAD stdin", ""},
	} {
		exit, stdout, stderr := masterzen(t, testFarm, powershell.CommandLine(), c.stdin)
		if exit != c.exit || !strings.HasPrefix(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
			t.Errorf("%s: exit code %d, standard output %q, standard error %q", c.name, exit, stdout, stderr)
		}
	}
}

// TestSecondHop_Refused checks that SharePoint cmdlets cannot reach a remote
// database.
func TestSecondHop_Refused(t *testing.T) {
	t.Parallel()
	testFarm := start(t, farmsim.Options{OfficeServers: 1, SharePointServers: 1, RemoteSQL: true, WithoutWire: true})
	o := operate(t, testFarm, first(t, testFarm))
	_, err := run(o, sp1, powershell.GetSharePointFarm{})
	var refused *powershell.ScriptError
	if !errors.As(err, &refused) || refused.ID != "farmtrust.SecondHop" || !strings.Contains(refused.Message, "Cannot access the local farm.") {
		t.Errorf("got %v", err)
	}
	must(o, sp1, powershell.GetSharePointServer{}) // which uses no SharePoint cmdlet
}

// TestWire_Hang checks that a server that hangs on the wire makes the caller
// give up.
func TestWire_Hang(t *testing.T) {
	t.Parallel()
	testFarm := start(t, farmsim.Options{OfficeServers: 1, SharePointServers: 1})
	w := overWire(t, testFarm)
	plan(t, testFarm, fault.Fault{Step: "Get-SharePointServer", Kind: fault.Hang})
	call := powershell.Call{Script: "Get-SharePointServer", Params: powershell.GetSharePointServer{}}
	var seen powershell.SharePointServer
	err := w.Run(t.Context(), powershell.Target{Host: sp1}, call, &seen)
	if _, ok := errors.AsType[*powershell.TransportError](err); !ok {
		t.Errorf("got %v", err)
	}
	if err := w.Run(t.Context(), powershell.Target{Host: sp1}, call, &seen); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

func TestClose_LeavesFiles(t *testing.T) {
	t.Parallel()
	testFarm, err := farmsim.Start(t.Context(), farmsim.Options{Dir: t.TempDir(), OfficeServers: 1, SharePointServers: 1})
	if err != nil {
		t.Fatal(err)
	}
	address := testFarm.Connections()[0].Address
	if err := testFarm.Close(); err != nil {
		t.Fatal(err)
	}
	if c, err := net.DialTimeout("tcp", address, time.Second); err == nil {
		c.Close()
		t.Errorf("%s still listens", address)
	}
	if _, err := os.Stat(testFarm.Config()); err != nil {
		t.Error(err)
	}
}
