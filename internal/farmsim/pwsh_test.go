package farmsim_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/pwsh"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// powerShell finds a PowerShell, or skips the test.
func powerShell(t testing.TB) string {
	t.Helper()
	path, err := pwsh.Find()
	if err != nil {
		t.Skip(err)
	}
	return path
}

// recorder notes what became of each call.
type recorder struct {
	powershell.Runner

	notes []string
}

// Run implements [powershell.Runner].
func (r *recorder) Run(ctx context.Context, target powershell.Target, call powershell.Call, result any) error {
	note := ""
	call.Warn = func(text string) { note += "warned: " + text + "; " }
	err := r.Runner.Run(ctx, target, call, result)
	note += target.Host + " " + call.Script + ": "
	var said *powershell.ScriptError
	switch {
	case errors.As(err, &said):
		note += fmt.Sprintf("%s %s %s %d: %s", said.ID, said.Category, said.Exception, said.HResult, said.Message)
	case err != nil:
		note += err.Error()
	default:
		raw, err := json.Marshal(result)
		if err != nil {
			return err
		}
		note += string(raw)
	}
	r.notes = append(r.notes, note)
	return err
}

// viaTask runs by way of the SharePoint task what that can do.
type viaTask struct{ powershell.Runner }

// Run implements [powershell.Runner].
func (v viaTask) Run(ctx context.Context, target powershell.Target, call powershell.Call, result any) error {
	if slices.Contains(powershell.TaskVerbs(), call.Script) {
		return powershell.ByTask(v.Runner).Run(ctx, target, call, result)
	}
	return v.Runner.Run(ctx, target, call, result)
}

// attempt runs a call whose outcome is only to be noted.
func attempt[R any](o *operator, host string, params powershell.Params[R]) {
	_, _ = run(o, host, params)
}

const (
	master = "oos-01.contoso.com" // Server 2016
	member = "oos-02.contoso.com" // Server 2019
	front  = "sp-01.contoso.com"
)

// everything looks at all that can be looked at.
func (o *operator) everything() {
	o.t.Helper()
	for _, host := range o.hosts("oos-") {
		o.look(host)
	}
	o.lookAtTrust()
	for _, host := range o.hosts("sp-") {
		must(o, host, sitesCall)
	}
}

// sitesCall asks a SharePoint server for its site, and for one that it does not have.
var sitesCall = powershell.GetSharePointServer{Sites: []string{"https://portal.contoso.com", "https://unknown.contoso.com"}}

func (o *operator) lookAtTrust() powershell.SharePointFarm {
	o.t.Helper()
	call := powershell.GetSharePointFarm{Sites: []string{"https://portal.contoso.com"}}
	for _, i := range farm.Issuers() {
		call.RegisteredNames, call.Names = append(call.RegisteredNames, i.RegisteredName), append(call.Names, "OOS "+i.Product)
	}
	return must(o, front, call)
}

// refusals are calls that the scripts, Windows or the products refuse.
func (o *operator) refusals(other *operator) {
	o.t.Helper()
	attempt(o, master, o.nameCall())
	attempt(o, master, o.grantCall())
	attempt(o, member, o.nameCall())
	attempt(o, front, o.nameCall())
	attempt(o, front, o.importCall(14393))
	attempt(o, master, o.rootsCall())
	attempt(o, master, o.importCall(17763)) // Server 2016 cannot open it.
	good := o.importCall(14393)
	wrong := good
	wrong.Password = []byte("wrong")
	attempt(o, master, wrong)
	wrong = good
	wrong.PFX, wrong.Password = other.importCall(14393).PFX, good.Password
	attempt(o, master, wrong)
	stranger := other.importCall(14393)
	stranger.Thumbprint = good.Thumbprint
	attempt(o, master, stranger)
	wrong = good
	wrong.Provider = model.SoftwareKSP
	attempt(o, master, wrong)
	issuer := o.issuerCall(farm.Issuers()[0])
	issuer.Sites = []string{"https://nowhere.contoso.com"}
	attempt(o, front, issuer)
}

// disputes are calls about a certificate that is there under its name.
func (o *operator) disputes(other *operator) {
	o.t.Helper()
	renamed := o.importCall(14393)
	renamed.FriendlyName = "another name"
	attempt(o, master, renamed)
	ambiguous := other.importCall(14393)
	ambiguous.FriendlyName = o.bundle.Certificate.FriendlyName
	attempt(o, master, ambiguous)
	misspelt := o.nameCall()
	misspelt.FriendlyName = "misspelt"
	attempt(o, master, misspelt)
	roots := other.rootsCall()
	taken := powershell.RootAuthorityCertificate{Name: "LOCAL", Certificate: other.bundle.Certificate.DER}
	roots.Authorities = append(roots.Authorities, taken)
	attempt(o, front, roots)
}

// story performs the procedure twice and goes wrong on the way wherever it can.
func story(o, next *operator) {
	o.everything()
	o.refusals(next)
	// The member has no certificate yet when it loads the name.
	must(o, master, o.importCall(14393))
	must(o, master, o.grantCall())
	must(o, master, o.nameCall())
	attempt(o, member, powershell.RestartOfficeServer{})
	o.look(member)
	o.rotate()
	o.everything()
	o.rotate()
	o.disputes(next)
	yes, no := true, false
	must(o, master, powershell.SetOfficeHTTPSetting{AllowOutboundHTTP: &yes, AllowHTTPSecureStoreConnections: &no})
	must(o, master, powershell.SetOfficeHTTPSetting{AllowHTTPSecureStoreConnections: &yes})
	asAdministrator := o.grantCall()
	asAdministrator.ProveAs = string(farm.AsAdministrator)
	must(o, master, asAdministrator)
	export := powershell.ExportS2SCertificate{Thumbprint: string(o.bundle.Certificate.Thumbprint)}
	must(o, master, export)
	next.rotate()
	next.everything()
}

// told tells a story in a farm of its own, and returns what became of each
// call, and of the farm, in words that are the same for all farms that differ
// only in their certificates and times.
func told(t *testing.T, options farmsim.Options, tell func(o, next *operator)) (notes []string, state string) {
	t.Helper()
	testFarm := start(t, options)
	o := operate(t, testFarm, first(t, testFarm))
	next := newest(t, testFarm)
	r := &recorder{Runner: testFarm.Runner()}
	if options.RunAs == farm.Task {
		r.Runner = viaTask{r.Runner}
	}
	o.runner, next.runner = r, r
	plain := plainly(t, testFarm, o.bundle, next.bundle)
	tell(o, next)
	for _, obstacle := range o.obstacles() {
		t.Error(obstacle)
	}
	for _, note := range r.notes {
		notes = append(notes, plain(note))
	}
	final := testFarm.State()
	final.Applied = nil // How often the scripts ask is their own affair.
	raw, err := json.MarshalIndent(final, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return notes, plain(string(raw))
}

var (
	times   = regexp.MustCompile(`\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|\+00:00)`)
	engines = regexp.MustCompile(`"powerShell":"[^"]*"`)
	// sizes of files in State: that of a certificate depends on its signature.
	sizes = regexp.MustCompile(`(\.cer": )\d+`)
)

// plainly returns a function that names certificates by their subjects, and
// leaves out times, sizes and which PowerShell it was.
func plainly(t *testing.T, testFarm *farmsim.Farm, bundles ...*cert.Bundle) func(string) string {
	t.Helper()
	var pairs []string
	know := func(subject string, thumbprint farm.Thumbprint, der []byte) {
		// A renewal keeps its subject.
		subject = fmt.Sprintf("%s, no. %d", subject, len(pairs))
		pairs = append(pairs, base64.StdEncoding.EncodeToString(der), "DER<"+subject+">",
			string(thumbprint), "THUMBPRINT<"+subject+">", thumbprint.Short(), "SHORT<"+subject+">")
	}
	for _, b := range bundles {
		for _, c := range b.Certificate.Chain {
			know(c.Subject, c.Thumbprint, c.DER)
		}
		know(b.Certificate.Subject, b.Certificate.Thumbprint, b.Certificate.DER)
	}
	session, err := testFarm.World.LogOn(master, model.Logon{Auth: model.NTLM})
	if err != nil {
		t.Fatal(err)
	}
	mine, err := session.Certificates(model.My)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range mine {
		know(c.Subject, c.Thumbprint, c.DER)
	}
	for _, f := range testFarm.State().SharePoint {
		for _, a := range f.Authorities {
			pairs = append(pairs, string(a.Thumbprint), "THUMBPRINT<authority "+a.Name+">")
		}
	}
	names := strings.NewReplacer(pairs...)
	return func(text string) string {
		text = times.ReplaceAllString(names.Replace(text), "TIME")
		text = sizes.ReplaceAllString(text, "${1}SIZE")
		return engines.ReplaceAllString(text, `"powerShell":"ANY"`)
	}
}

// TestModels_MatchScripts checks that the models say and do what the scripts
// do.
func TestModels_MatchScripts(t *testing.T) {
	t.Parallel()
	path := powerShell(t)
	// The cmdlets of 2019 are those of 2016.
	for name, scenario := range map[string]struct {
		farmsim.Options

		tell func(o, next *operator)
	}{
		"2016, what goes wrong":               {farmsim.Options{SharePoint: "2016", Trusting: true}, story},
		"2019, a renewal and its rollback":    {farmsim.Options{SharePoint: "2019", Trusting: true, SelfSigned: true}, wayBack},
		"SE, what goes wrong":                 {farmsim.Options{SharePoint: "SE", SelfSigned: true}, story},
		"SE, a first set-up and its rollback": {farmsim.Options{SharePoint: "SE"}, firstBack},
		"SE, certificates of one subject":     {farmsim.Options{SharePoint: "SE"}, oneSubject},
		"SE, what does not come back":         {farmsim.Options{SharePoint: "SE", SelfSigned: true}, notBack},
	} {
		options, tell := scenario.Options, scenario.tell
		options.OfficeServers, options.SharePointServers, options.WithoutWire, options.SharedPowerShell = 2, 1, true, true
		options.Policy.WarmUp = time.Hour // What was restarted is seen to be, however fast this is.
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelled, world := told(t, options, tell)
			options.PowerShell = path
			ran, after := told(t, options, tell)
			if diff := cmp.Diff(modelled, ran); diff != "" {
				t.Errorf("answers (-model +PowerShell):\n%s", diff)
			}
			if diff := cmp.Diff(world, after); diff != "" {
				t.Errorf("farms afterwards (-model +PowerShell):\n%s", diff)
			}
		})
	}
}

// TestModels_MatchTask checks that the model of the SharePoint task says and
// does what the task does.
func TestModels_MatchTask(t *testing.T) {
	t.Parallel()
	options := farmsim.Options{
		PowerShell: powerShell(t), RemoteSQL: true, RunAs: farm.Task, Trusting: true,
		OfficeServers: 2, SharePointServers: 1, WithoutWire: true, SharedPowerShell: true,
	}
	options.Policy.WarmUp = time.Hour
	tell := func(o, next *operator) {
		attempt(o, front, powershell.InvokeSharePointTask{
			Verb: "Get-SharePointFarm", Parameters: []byte(`{}`), Hash: strings.Repeat("0", 64), Seconds: 60,
		})
		taken := powershell.RootAuthorityCertificate{Name: "LOCAL", Certificate: next.bundle.Certificate.DER}
		attempt(o, front, powershell.AddRootAuthority{Authorities: []powershell.RootAuthorityCertificate{taken}})
		was := next.snapshot()
		next.rotate()
		next.changedSince(was)
		next.back(was)
		next.everything()
	}
	ran, after := told(t, options, tell)
	options.PowerShell = ""
	modelled, world := told(t, options, tell)
	if diff := cmp.Diff(modelled, ran); diff != "" {
		t.Errorf("answers (-model +PowerShell):\n%s", diff)
	}
	if diff := cmp.Diff(world, after); diff != "" {
		t.Errorf("farms afterwards (-model +PowerShell):\n%s", diff)
	}
}

// TestWire_RealPowerShell checks that the procedure works over the wire by real
// PowerShell.
func TestWire_RealPowerShell(t *testing.T) {
	t.Parallel()
	testFarm := start(t, farmsim.Options{PowerShell: powerShell(t), OfficeServers: 1, SharePointServers: 1})
	o := newest(t, testFarm)
	o.runner = overWire(t, testFarm)
	o.rotate()
	if diff := cmp.Diff([]string(nil), o.obstacles()); diff != "" {
		t.Errorf("after the procedure something is in the way (-want +got):\n%s", diff)
	}
}

// TestCheck_NoPowerShell checks that a PowerShell that is not there is reported
// before the farm starts.
func TestCheck_NoPowerShell(t *testing.T) {
	t.Parallel()
	err := farmsim.Options{Dir: t.TempDir(), PowerShell: "/nowhere/pwsh"}.Check()
	if err == nil || !strings.Contains(err.Error(), "PowerShell: ") {
		t.Errorf("got %v", err)
	}
}
