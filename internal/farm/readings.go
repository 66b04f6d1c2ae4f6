package farm

// Reading is what one server showed.
type Reading struct {
	Office OfficeServer
	// Farm is the SharePoint farm as its front end sees it, without its servers.
	Farm       SharePointFarm
	SharePoint SharePointServer
}

// Readings are what the servers of a farm showed, by host.
type Readings map[string]Reading

// Observed puts readings in configured order. A server that could not be observed
// has a place, and nothing in it.
func (r Readings) Observed(f Farm) Observed {
	var observed Observed
	for _, office := range f.Offices() {
		for _, host := range office.Hosts() {
			server := r[host].Office
			server.OfficeFarm = office.Name
			observed.Office = append(observed.Office, server)
		}
	}
	for _, sp := range f.SharePoint {
		sharePoint := r[sp.FrontEnd.Host].Farm
		sharePoint.FrontEnd = sp.FrontEnd.Host
		for _, server := range sp.Servers {
			sharePoint.Servers = append(sharePoint.Servers, r[server.Host].SharePoint)
		}
		observed.SharePoint = append(observed.SharePoint, sharePoint)
	}
	return observed
}

// Keep has what was observed before stand for servers that were not observed now:
// they may be gone. They are no front ends.
func (r Readings) Keep(f Farm, before Observed, isSkipped func(host string) bool) {
	now := r.Observed(f)
	for _, host := range f.OfficeHosts() {
		if isSkipped(host) {
			s := before.OfficeServer(host)
			if master, known := now.Master(s.OfficeFarm); known {
				s.Settings.Master = master.Machine.Name // it may have been this one
			}
			r[host] = Reading{Office: s}
		}
	}
	for _, host := range f.SharePointHosts() {
		if isSkipped(host) {
			sharePoint, _ := before.Farm(f.FrontEndOf(host))
			r[host] = Reading{SharePoint: sharePoint.Server(host)}
		}
	}
}

// UnprovenCurrent returns the certificate in use if no server shows by itself that it
// could sign with it, as when one has it under another name: the servers are then
// observed again with that certificate. It is false when none is in use, and when the
// target is, which is observed anyway.
func (o Observed) UnprovenCurrent(target Thumbprint) (Thumbprint, bool) {
	current, ok := o.Current()
	if !ok || current.Thumbprint == target || o.Proves(current.Thumbprint) {
		return "", false
	}
	return current.Thumbprint, true
}
