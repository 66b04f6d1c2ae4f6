package farmsim_test

import (
	"time"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// impose makes a condition of a server true; with stop, at once.
func (o *operator) impose(host string, c model.Condition, stop bool) {
	o.t.Helper()
	if err := o.testFarm.World.Impose(host, c, stop); err != nil {
		o.t.Fatal(err)
	}
}

func (o *operator) startCall(others ...*operator) powershell.StartOfficeServer {
	call := powershell.StartOfficeServer{Certificates: []powershell.NamedCertificate{}}
	for _, one := range append([]*operator{o}, others...) {
		c := one.bundle.Certificate
		call.Certificates = append(call.Certificates, powershell.NamedCertificate{Thumbprint: string(c.Thumbprint), FriendlyName: c.FriendlyName})
	}
	return call
}

// notBack has services and IIS that do not come back, and starts them again.
func notBack(o, next *operator) {
	o.rotate()
	o.frontNotBack()
	o.officeNotBack()
	o.loadedTwice()
	o.startAgain(next)
	o.everything()
}

// frontNotBack is about a SharePoint server.
func (o *operator) frontNotBack() {
	o.t.Helper()
	for _, c := range []model.Condition{
		{Kind: model.ServiceFails, Service: model.SPTimerV4, Starts: 1},
		{Kind: model.ServiceStops, Service: model.SPTimerV4, Starts: 1, Delay: time.Nanosecond},
		{Kind: model.ServiceFails, Service: model.W3SVC, Starts: 1},
		{Kind: model.ServiceFails, Service: model.WAS, Starts: 1},
		{Kind: model.IISResetFails, Starts: 1},
		{Kind: model.PoolDown, Starts: 1},
	} {
		o.impose(front, c, false)
		attempt(o, front, powershell.RestartSharePointServer{NotBefore: time.Now()})
		must(o, front, sitesCall)
	}
	must(o, front, powershell.RestartSharePointServer{NotBefore: time.Now()})
	must(o, front, powershell.RestartSharePointServer{NotBefore: time.Now().Add(-time.Hour)})
}

// officeNotBack is about the master.
func (o *operator) officeNotBack() {
	o.t.Helper()
	o.testFarm.World.NameOfficeSites("oos-01.contoso.com")
	o.look(master)
	o.testFarm.World.NameOfficeSites("office.contoso.com")
	for _, c := range []model.Condition{
		{Kind: model.ServiceFails, Service: model.WACSM, Starts: 1},
		{Kind: model.ServiceStops, Service: model.WACSM, Starts: 1, Delay: time.Nanosecond},
		{Kind: model.IISResetFails, Starts: 1},
	} {
		o.impose(master, c, false)
		now := time.Now()
		attempt(o, master, powershell.RestartOfficeServer{NotBefore: &now})
		o.look(master)
	}
	must(o, master, powershell.RestartOfficeServer{})
	o.impose(master, model.Condition{Kind: model.IISResetFails, Starts: 1}, true)
	o.testFarm.World.LiftConditions()
	must(o, master, powershell.RestartOfficeServer{})
	must(o, master, powershell.RestartOfficeServer{})
}

// loadedTwice is about what the note of a restart proves.
func (o *operator) loadedTwice() {
	o.t.Helper()
	now := time.Now()
	// Until here the note may be about an earlier process of WACSM than the one that
	// runs: the model's are less than a second apart, and count as one.
	must(o, master, powershell.RestartOfficeServer{NotBefore: &now})
	must(o, master, powershell.RestartOfficeServer{UnlessNoted: &now})
	no, yes := false, true
	must(o, master, powershell.SetOfficeHTTPSetting{AllowOutboundHTTP: &yes})
	must(o, master, powershell.RestartOfficeServer{UnlessNoted: &now})
	must(o, master, powershell.RestartOfficeServer{})
	must(o, master, powershell.SetOfficeHTTPSetting{AllowOutboundHTTP: &no})
	must(o, master, powershell.RestartOfficeServer{})
	must(o, member, powershell.RestartOfficeServer{})
	o.look(master)
}

// startAgain stops the services of the master, and lets them start with what its
// settings name.
func (o *operator) startAgain(next *operator) {
	o.t.Helper()
	world := o.testFarm.World
	must(o, master, o.startCall(next))
	for _, c := range []model.Condition{{Kind: model.ServiceFails, Service: model.WAS}, {Kind: model.ServiceFails, Service: model.WACSM}} {
		c.Starts = 1
		o.impose(master, c, true)
	}
	attempt(o, master, o.startCall(next))
	attempt(o, master, o.startCall(next))
	must(o, master, o.startCall(next))
	if err := world.EditSettingsFile(master, next.bundle.Certificate.FriendlyName); err != nil {
		o.t.Fatal(err)
	}
	attempt(o, master, powershell.RestartOfficeServer{})
	attempt(o, master, o.startCall(next))
	attempt(o, master, o.startCall())
	if err := world.EditSettingsFile(master, o.bundle.Certificate.FriendlyName); err != nil {
		o.t.Fatal(err)
	}
	must(o, master, o.startCall(next))
	must(o, master, powershell.RestartOfficeServer{})
}
