package farmsim_test

import (
	"bytes"
	"context"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

const (
	oos1 = "oos-01.contoso.com"
	sp1  = "sp-01.contoso.com"
)

func small(t *testing.T) (*farmsim.Farm, *operator) {
	t.Helper()
	testFarm := start(t, farmsim.Options{OfficeServers: 1, SharePointServers: 1, WithoutWire: true})
	return testFarm, operate(t, testFarm, first(t, testFarm))
}

func plan(t *testing.T, testFarm *farmsim.Farm, faults ...fault.Fault) {
	t.Helper()
	if err := testFarm.AddFaults(faults...); err != nil {
		t.Fatal(err)
	}
}

// TestFaults_BeforeAndAfter checks that a fault before acting changes nothing,
// and one after acting loses only the answer.
func TestFaults_BeforeAndAfter(t *testing.T) {
	t.Parallel()
	for _, kind := range []fault.Kind{fault.Refused, fault.Dropped, fault.Unauthorized, fault.SOAPFault, fault.Hang, fault.ScriptError, fault.Reboot} {
		for _, when := range []fault.When{fault.Before, fault.After} {
			t.Run(string(kind)+" "+string(when), func(t *testing.T) {
				t.Parallel()
				testFarm, o := small(t)
				f := fault.Fault{Server: oos1, Step: "Import-S2SCertificate", Kind: kind, When: when}
				switch kind {
				case fault.SOAPFault:
					f.Code = 170
				case fault.Reboot:
					f.Delay = fault.Duration(time.Nanosecond)
				case fault.ScriptError:
					f.Error = &fault.Error{ID: "Some.Error", Message: "told to"}
				}
				plan(t, testFarm, f)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if kind == fault.Hang {
					go func() { // The caller gives up once the server hangs, and not before.
						for ctx.Err() == nil && len(testFarm.Pending()) > 0 {
							time.Sleep(time.Millisecond)
						}
						cancel()
					}()
				}
				if _, err := powershell.Run(ctx, o.runner, powershell.Target{Host: oos1}, o.importCall(14393)); err == nil {
					t.Fatal("the fault did not show")
				}
				acted := len(o.look(oos1).Certificates) == 1
				if acted != (when == fault.After) {
					t.Errorf("the certificate is there: %t", acted)
				}
				if again := must(o, oos1, o.importCall(14393)); again.Changed == acted {
					t.Errorf("the second attempt changed something: %t", again.Changed)
				}
			})
		}
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	t.Run("faults show as the kinds that a caller tells apart", func(t *testing.T) {
		t.Parallel()
		testFarm, o := small(t)
		for _, c := range []struct {
			f    fault.Fault
			want powershell.Kind
		}{
			{fault.Fault{Kind: fault.Refused}, powershell.Unreachable},
			{fault.Fault{Kind: fault.Dropped}, powershell.Interrupted},
			{fault.Fault{Kind: fault.Unauthorized}, powershell.Denied},
			{fault.Fault{Kind: fault.SOAPFault, Code: 5}, powershell.Forbidden},
			{fault.Fault{Kind: fault.SOAPFault, Code: 170}, powershell.Busy},
			{fault.Fault{Kind: fault.SOAPFault, Code: 2150859173}, powershell.Quota},
			{fault.Fault{Kind: fault.SOAPFault, Code: 2150858843}, powershell.Interrupted},
		} {
			plan(t, testFarm, c.f)
			_, err := run(o, sp1, powershell.GetSharePointServer{})
			var transport *powershell.TransportError
			if !errors.As(err, &transport) || transport.Kind != c.want {
				t.Errorf("%+v: got %v, want %s", c.f, err, c.want)
			}
			if _, err := run(o, sp1, powershell.GetSharePointServer{}); err != nil {
				t.Errorf("%+v happened twice: %v", c.f, err)
			}
		}
	})
	t.Run("a script error arrives with everything that identifies it", func(t *testing.T) {
		t.Parallel()
		testFarm, o := small(t)
		want := powershell.ScriptError{
			Server: sp1, Script: "Add-RootAuthority", ID: "Microsoft.SharePoint.PowerShell.SPCmdletNewTrustedRootAuthority",
			Message: "An update conflict has occurred, and you must re-try this action", Category: "InvalidData",
			Exception: "Microsoft.SharePoint.Administration.SPUpdatedConcurrencyException", HResult: -2146233088,
		}
		plan(t, testFarm, fault.Fault{Kind: fault.ScriptError, Step: want.Script, Error: &fault.Error{
			ID: want.ID, Message: want.Message, Category: want.Category, Exception: want.Exception, HResult: want.HResult,
		}})
		_, err := run(o, sp1, o.rootsCall())
		var got *powershell.ScriptError
		if !errors.As(err, &got) || !cmp.Equal(*got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
	t.Run("one impossible fault keeps all from being planned", func(t *testing.T) {
		t.Parallel()
		testFarm, _ := small(t)
		err := testFarm.AddFaults(fault.Fault{Kind: fault.Hang}, fault.Fault{Kind: fault.Hang, Server: "oos-77.contoso.com"})
		if err == nil || !strings.Contains(err.Error(), "fault 2: server") {
			t.Errorf("got %v", err)
		}
		if pending := testFarm.Pending(); len(pending) != 0 {
			t.Errorf("pending: %+v", pending)
		}
	})
}

// TestLatency checks that steps take as long as they are told.
func TestLatency(t *testing.T) {
	t.Parallel()
	const slow = 50 * time.Millisecond
	testFarm := start(t, farmsim.Options{
		OfficeServers: 1, SharePointServers: 1, WithoutWire: true,
		Latency: map[string]time.Duration{"": time.Hour, "Get-SharePointServer": slow},
	})
	o := newest(t, testFarm)
	began := time.Now()
	must(o, sp1, powershell.GetSharePointServer{})
	if took := time.Since(began); took < slow {
		t.Errorf("took %s", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), slow)
	defer cancel()
	_, err := powershell.Run(ctx, o.runner, powershell.Target{Host: oos1}, powershell.GetOfficeServer{})
	var transport *powershell.TransportError
	if !errors.As(err, &transport) || transport.Kind != powershell.TimedOut {
		t.Errorf("a step that takes an hour: %v", err)
	}
}

// TestUnknownHost checks that a host that is not part of the farm does not
// answer.
func TestUnknownHost(t *testing.T) {
	t.Parallel()
	testFarm, o := small(t)
	_, err := run(o, "file-01.contoso.com", powershell.GetSharePointServer{})
	var transport *powershell.TransportError
	if !errors.As(err, &transport) || transport.Kind != powershell.Unreachable {
		t.Errorf("a host that is not there: %v", err)
	}
	if _, err := testFarm.World.LogOn("file-01.contoso.com", model.Logon{}); err == nil {
		t.Error("logged on to a machine that is not there")
	}
}

func TestState_NoKeyMaterial(t *testing.T) {
	t.Parallel()
	testFarm, o := small(t)
	o.rotate()
	state, err := json.Marshal(testFarm.State())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(state, []byte(o.bundle.Certificate.Thumbprint)) {
		t.Error("the state does not show the certificate")
	}
	key := keyOf(t, testFarm)
	for name, secret := range map[string][]byte{
		"private exponent": key.D.Bytes(), "first prime": key.Primes[0].Bytes(), "second prime": key.Primes[1].Bytes(),
		"account's password": read(t, testFarm.Password()), "PFX password": read(t, testFarm.PFXPassword()),
	} {
		for form, spelt := range spellings(secret) {
			if bytes.Contains(bytes.ToLower(state), bytes.ToLower(spelt)) {
				t.Errorf("the state holds the %s as %s", name, form)
			}
		}
	}
}

func keyOf(t *testing.T, testFarm *farmsim.Farm) *rsa.PrivateKey {
	t.Helper()
	key, _, _, err := pkcs12.DecodeChain(read(t, first(t, testFarm)), string(read(t, testFarm.PFXPassword())))
	if err != nil {
		t.Fatal(err)
	}
	return key.(*rsa.PrivateKey)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// spellings are the ways in which bytes may stand in JSON. Base64 is cut to
// what does not depend on where in a longer value it begins.
func spellings(secret []byte) map[string][]byte {
	return map[string][]byte{
		"text": secret, "hex": []byte(hex.EncodeToString(secret)),
		"base64": []byte(base64.StdEncoding.EncodeToString(secret[:len(secret)/3*3])),
	}
}
