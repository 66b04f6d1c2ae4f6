package pwsh_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/pwsh"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

const (
	office = "oos-01.contoso.com"
	front  = "sp-01.contoso.com"
	site   = "https://portal.contoso.com"
)

// versions are those of SharePoint, with the build of each.
var versions = map[string]string{"2016": "16.0.4456.1000", "2019": "16.0.10337.12109", "SE": "16.0.18526.20508"}

var registered = farm.Issuers()[0].RegisteredName

// testFarm is a world of one office server and one SharePoint server, and an
// engine for both.
type testFarm struct {
	t      testing.TB
	world  *model.World
	engine *pwsh.Engine
	der    []byte
}

// engines are the PowerShells for all tests, by how calls run: in fresh runspaces
// or in processes of their own.
var engines = map[string]func() (*pwsh.Engine, error){
	inRunspace: sync.OnceValues(func() (*pwsh.Engine, error) { return startEngine(pwsh.StartShared) }),
	inProcess:  sync.OnceValues(func() (*pwsh.Engine, error) { return startEngine(pwsh.Start) }),
}

const (
	inRunspace = "runspace"
	inProcess  = "process"
)

// started are the engines to close.
var started struct {
	sync.Mutex
	engines []*pwsh.Engine
}

func startEngine(start func(path string) (*pwsh.Engine, error)) (*pwsh.Engine, error) {
	path, err := pwsh.Find()
	if err != nil {
		return nil, err
	}
	e, err := start(path)
	if err == nil {
		started.Lock()
		defer started.Unlock()
		started.engines = append(started.engines, e)
	}
	return e, err
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, e := range started.engines {
		if err := e.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

func newTestFarm(t testing.TB, version string) *testFarm {
	t.Helper()
	return newTestFarmOn(t, inRunspace, version)
}

func newTestFarmOn(t testing.TB, how, version string) *testFarm {
	t.Helper()
	e, err := engines[how]()
	if errors.Is(err, pwsh.ErrNone) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	s := &testFarm{t: t, world: model.New(model.Policy{}), engine: e, der: certificate(t)}
	s.ok(s.world.AddMachine(model.MachineSpec{Host: office, Build: 17763}))
	s.ok(s.world.AddMachine(model.MachineSpec{Host: front, Build: 17763}))
	s.ok(s.world.NewOfficeFarm(model.OfficeSettings{}, office))
	s.ok(s.world.NewSharePointFarm(model.SharePointSpec{
		Name: "portal", Version: versions[version], Servers: []string{front}, Sites: []string{site}, UserProfileServices: 1,
		Issuers: []model.TokenIssuer{{Name: "OOS", RegisteredIssuerName: registered, Certificate: s.der}},
	}, s.der))
	return s
}

func (s *testFarm) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// certificate makes a public certificate.
func certificate(t testing.TB) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "s2s"}, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// session logs on to a host.
func (s *testFarm) session(host string) *model.Session {
	s.t.Helper()
	session, err := s.world.LogOn(host, administrator)
	s.ok(err)
	return session
}

var administrator = model.Logon{User: `CONTOSO\svc`, Auth: model.NTLM}

// run runs a script of the test's own on a host and decodes its result.
func (s *testFarm) run(host, script string, params, result any) {
	s.t.Helper()
	server := pwsh.Server{Engine: s.engine, World: s.world, Host: host, Logon: administrator}
	s.ok(server.RunText(s.t.Context(), powershell.Target{Host: host}, powershell.Call{Script: "Test", Params: params}, script, result))
}

// outcome is what became of a statement: what it returned, as text, or the
// identity of its error.
type outcome struct {
	ID  string `json:"id"`
	Out string `json:"out"`
}

const statements = `
[CmdletBinding()]
param([string[]] $Statements, [string] $Der)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

if ($null -ne (Get-SharePointFileVersion)) { Import-SharePoint }
else { Import-OfficeModule }
$certificate = New-PublicCertificate -Der ([Convert]::FromBase64String($Der))
$outcomes = @(foreach ($statement in $Statements) {
    try { [pscustomobject] @{ id = ''; out = [string] (& ([ScriptBlock]::Create($statement))) } }
    catch { [pscustomobject] @{ id = (ConvertTo-Failure -Record $_).id; out = '' } }
})
[pscustomobject] @{ outcomes = $outcomes }
`

// each runs statements one after the other in one PowerShell.
func (s *testFarm) each(host string, all ...string) []outcome {
	s.t.Helper()
	var result struct {
		Outcomes []outcome `json:"outcomes"`
	}
	s.run(host, statements, map[string]any{"Statements": all, "Der": s.der}, &result)
	if len(result.Outcomes) != len(all) {
		s.t.Fatalf("%d outcomes of %d statements", len(result.Outcomes), len(all))
	}
	return result.Outcomes
}

func (o outcome) refuses(id string) bool { return o.ID == id || strings.HasPrefix(o.ID, id+",") }

func diffOf(before, after any) string { return cmp.Diff(before, after) }
