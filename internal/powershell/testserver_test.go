package powershell_test

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/pwsh"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

const (
	host      = "oos-01.contoso.com"
	other     = "oos-02.contoso.com"
	site      = "https://portal.contoso.com"
	friendly  = "farmtrust 2026-11"
	build2019 = 17763
	taskUser  = `CONTOSO\farmtrust-sp$`
)

var (
	sharePointIssuer = farm.Issuers()[0].RegisteredName
	sqlIssuer        = farm.Issuers()[1].RegisteredName
	administrator    = model.Logon{User: `CONTOSO\svc`, Auth: model.NTLM}
)

// serverSpec describes a simulated server, and the farm that it is in, before a
// test.
type serverSpec struct {
	stores map[model.Store][]storeEntry
	// machine is without its name, which is host.
	machine model.MachineSpec
	policy  model.Policy
	// filtered is an account without administrator rights.
	filtered bool
	// office is nil for a server in no office farm. It is the master, unless
	// isMember is set.
	office   *model.OfficeSettings
	isMember bool
	// sharePoint is nil for a server in no SharePoint farm; local is the
	// certificate of the farm's own root authority.
	sharePoint *model.SharePointSpec
	local      []byte
	// sql is how the SQL Server of that farm refuses, unless it is away.
	sql       model.SQLRefusal
	sqlAway   bool
	overrides pwsh.Overrides
}

// storeEntry is a certificate in a store.
type storeEntry struct {
	certificate  testCertificate
	friendlyName string
	hasKey       bool
	archived     bool
	// keyGone is a key that was deleted although its certificate was not.
	keyGone bool
	// keyOf is the certificate in the same store whose key is also this one's.
	keyOf *testCertificate
}

// newMachine describes a Windows server without products.
func newMachine() *serverSpec {
	return &serverSpec{
		machine: model.MachineSpec{Build: build2019, ConfigurationMode: "ApplyAndMonitor"},
		stores:  map[model.Store][]storeEntry{}, overrides: pwsh.Overrides{},
	}
}

// newOfficeServer describes the master of an office farm of two.
func newOfficeServer() *serverSpec {
	s := newMachine()
	s.office = &model.OfficeSettings{}
	return s
}

// newFrontEnd describes the only server of a SharePoint farm without trusts.
func newFrontEnd(version string) *serverSpec {
	s := newMachine()
	s.sharePoint = &model.SharePointSpec{Name: "portal", Version: version, Sites: []string{site}, UserProfileServices: 1}
	return s
}

// in puts certificates into a store.
func (s *serverSpec) in(store model.Store, entries ...storeEntry) *serverSpec {
	s.stores[store] = entries
	return s
}

// override replaces what is behind a stub.
func (s *serverSpec) override(cmdlet string, with pwsh.Override) *serverSpec {
	s.overrides[cmdlet] = with
	return s
}

// testServer is a simulated server whose scripts run in a real PowerShell.
type testServer struct {
	*pwsh.Server

	t *testing.T
}

// engines are the PowerShells for all tests: calls of the first run in fresh
// runspaces, calls of the second in processes of their own.
var (
	sharedEngine  = sync.OnceValues(func() (*pwsh.Engine, error) { return startEngine(pwsh.StartShared) })
	processEngine = sync.OnceValues(func() (*pwsh.Engine, error) { return startEngine(pwsh.Start) })
	toClose       struct {
		sync.Mutex
		engines []*pwsh.Engine
	}
)

func startEngine(start func(path string) (*pwsh.Engine, error)) (*pwsh.Engine, error) {
	path, err := pwsh.Find()
	if err != nil {
		return nil, err
	}
	e, err := start(path)
	if err == nil {
		toClose.Lock()
		defer toClose.Unlock()
		toClose.engines = append(toClose.engines, e)
	}
	return e, err
}

func closeEngines() {
	for _, e := range toClose.engines {
		_ = e.Close() // Nothing can be done about it.
	}
}

// newServer makes the server that a spec describes. Calls of tests that are
// about a process of their own run in one.
func newServer(t *testing.T, spec *serverSpec) *testServer {
	t.Helper()
	return newServerOn(t, sharedEngine, spec)
}

func newServerOn(t *testing.T, engine func() (*pwsh.Engine, error), spec *serverSpec) *testServer {
	t.Helper()
	e, err := engine()
	if errors.Is(err, pwsh.ErrNone) {
		t.Skip(err)
	}
	requireNoError(t, err)
	logon := administrator
	logon.Filtered = spec.filtered
	s := &testServer{t: t, Server: &pwsh.Server{
		Engine: e, World: model.New(spec.policy), Host: host, Logon: logon, Overrides: spec.overrides,
		Instrument: instrument, InstrumentFile: instrumentFile,
	}}
	s.build(spec)
	t.Cleanup(func() {
		for _, text := range s.World.Unguarded() {
			t.Error(text)
		}
	})
	return s
}

func requireNoError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// build makes the machine and the farms of a spec.
func (s *testServer) build(spec *serverSpec) {
	s.t.Helper()
	spec.machine.Host = host
	requireNoError(s.t, s.World.AddMachine(spec.machine))
	requireNoError(s.t, s.World.AddMachine(model.MachineSpec{Host: other, Build: build2019}))
	for _, store := range slices.Sorted(maps.Keys(spec.stores)) {
		for _, entry := range spec.stores[store] {
			s.add(store, entry)
		}
	}
	if spec.office != nil {
		members := []string{host, other}
		if spec.isMember {
			slices.Reverse(members)
		}
		settings := *spec.office
		settings.S2SCertificateName = ""
		requireNoError(s.t, s.World.NewOfficeFarm(settings, members...))
		// Set afterwards, which the product allows for a name that no certificate has.
		set := model.SetFarm{S2SCertificateName: &spec.office.S2SCertificateName, Force: true}
		if spec.office.S2SCertificateName != "" {
			requireNoError(s.t, s.session().Office().SetOfficeWebAppsFarm(set))
		}
	}
	if spec.sharePoint != nil {
		farm := *spec.sharePoint
		farm.Servers = []string{host}
		requireNoError(s.t, s.World.NewSharePointFarm(farm, spec.local))
		requireNoError(s.t, s.World.RefuseSQL(farm.Name, spec.sql))
		if spec.sqlAway {
			requireNoError(s.t, s.World.Impose(host, model.Condition{Kind: model.SQLAway}, false))
		}
	}
}

// add puts a certificate into a store.
func (s *testServer) add(store model.Store, entry storeEntry) {
	s.t.Helper()
	session, c := s.session(), entry.certificate
	thumbprint := farm.Thumbprint(c.thumbprint)
	added := model.Certificate{DER: c.der}
	switch {
	case entry.keyOf != nil:
		added.Key = &model.Key{File: s.keyFile(*entry.keyOf)}
	case entry.hasKey:
		opened, err := session.OpenPFX(model.StoreAdd, c.pfx, []byte(pfxPassword), model.ImportFlags{MachineKeySet: true, PersistKeySet: true})
		requireNoError(s.t, err)
		added.Key = opened.Key
	}
	_, err := session.AddCertificate(store, added)
	requireNoError(s.t, err)
	requireNoError(s.t, session.SetFriendlyName(store, thumbprint, entry.friendlyName))
	if entry.archived {
		requireNoError(s.t, session.Archive(thumbprint, true))
	}
	if entry.keyGone {
		requireNoError(s.t, session.RemoveKey(added.Key.File))
	}
}

// session is an administrator's, whatever the account of the calls.
func (s *testServer) session() *model.Session {
	s.t.Helper()
	session, err := s.World.LogOn(host, administrator)
	requireNoError(s.t, err)
	return session
}

// keyFile is the file of the key of a certificate in Personal.
func (s *testServer) keyFile(c testCertificate) string {
	s.t.Helper()
	location, err := s.session().KeyLocation(farm.Thumbprint(c.thumbprint))
	requireNoError(s.t, err)
	return location.File
}

// serverState is what tests compare of a server and its farms.
type serverState struct {
	Stores          map[model.Store][]model.CertificateState
	KeyFiles, Tasks []string
	Office          model.OfficeSettings
	Issuers         []model.TokenIssuer
	// Authorities are without the farm's own.
	Authorities []model.RootAuthority
	Permissions map[string]model.AppPermission
}

// state returns the state now.
func (s *testServer) state() serverState {
	s.t.Helper()
	all := s.World.State()
	machine := all.Machines[0]
	found := serverState{Stores: machine.Stores, KeyFiles: machine.KeyFiles, Tasks: machine.Tasks}
	if all.Office != nil {
		found.Office = all.Office.Members[0].Settings
	}
	if len(all.SharePoint) == 0 {
		return found
	}
	found.Permissions = all.SharePoint[0].Permissions
	// A task's account reaches the farm wherever its database is.
	session, err := s.World.LogOn(host, model.Logon{User: taskUser, Auth: model.Batch})
	requireNoError(s.t, err)
	found.Issuers, err = session.SharePoint().GetTrustedSecurityTokenIssuer()
	requireNoError(s.t, err)
	found.Authorities, err = session.SharePoint().GetTrustedRootAuthority()
	requireNoError(s.t, err)
	found.Authorities = found.Authorities[1:]
	return found
}

var target = powershell.Target{Host: "oos-01"}

// mustRun runs a script, which must succeed.
func mustRun[R any](t *testing.T, r powershell.Runner, params powershell.Params[R]) R {
	t.Helper()
	result, err := powershell.Run(t.Context(), r, target, params)
	if err != nil {
		t.Fatalf("%s: %v", powershell.ScriptOf(params), err)
	}
	return result
}

// assertRefused asserts that a script fails with an error of this ID.
func assertRefused[R any](t *testing.T, r powershell.Runner, params powershell.Params[R], id string) {
	t.Helper()
	_ = requireRefusal(t, r, params, id)
}

// requireRefusal is [assertRefused] for tests that look closer.
func requireRefusal[R any](t *testing.T, r powershell.Runner, params powershell.Params[R], id string) *powershell.ScriptError {
	t.Helper()
	_, err := powershell.Run(t.Context(), r, target, params)
	return requireScriptError(t, err, id)
}

func requireScriptError(t *testing.T, err error, id string) *powershell.ScriptError {
	t.Helper()
	var refused *powershell.ScriptError
	if !errors.As(err, &refused) {
		t.Fatalf("got %v, want the script to fail with %s", err, id)
	}
	if refused.ID != id {
		t.Fatalf("%s: failed with %s (%s), want %s", refused.Script, refused.ID, refused.Message, id)
	}
	return refused
}

// dateTime is a time that a stub returns.
func dateTime(at time.Time) any {
	return pwsh.Object("DateTime", map[string]any{"Value": at.UTC().Format(time.RFC3339Nano)})
}
