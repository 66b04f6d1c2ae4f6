package config

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// Bounds and defaults of a farm's fields.
const (
	// maxName bounds names that become names in SharePoint or in a certificate
	// store, in characters. Microsoft's script for token issuers refuses more than
	// 50; the product's own limit is not published.
	maxName = farm.MaxName
	// maxSubject, in characters, leaves room for the time of creation: a common
	// name has at most 64 (RFC 5280, ub-common-name).
	maxSubject = 48
	// longestProduct is the longer of the two suffixes of issuer names.
	longestProduct = " SharePoint Server"
	// maxAtOnce is also the size of the largest supported farm.
	maxAtOnce = 100

	defaultIssuerName      = "OOS"
	defaultCertificateName = "OOS S2S"
	defaultLeadTime        = 30 * day
	defaultValidFor        = 730 * day
	defaultAtOnce          = 10
	defaultRestartAtOnce   = 1

	// A call is mostly a wait for PowerShell on a server, so 64 are no load for a
	// worker. 1,000 is how many activities the Temporal SDK runs at once.
	defaultConcurrentCalls = 64
	maxConcurrentCalls     = 1000

	// winRMPort is WinRM's for HTTPS.
	winRMPort = "5986"

	maxPort = 65535
)

var (
	// A farm's name is part of workflow IDs and is typed on command lines, a site's
	// is part of the name of a task queue.
	hostNamePattern = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*$`)
	// A path on a drive, without the characters that Windows forbids in file names.
	// A path on a drive, in either spelling, which is a relative one elsewhere.
	foreignPathPattern = regexp.MustCompile(`^[A-Za-z]:[\\/]`)
)

// readConfig reads the whole document.
func (r *reader) readConfig(root node, c *Config) {
	c.Connections = map[string]Connection{}
	r.readMapping(root, fields{
		"site":    {read: func(n node) { c.Site = r.readSiteName(n) }},
		"worker":  {read: func(n node) { c.Worker = r.readWorker(n, c.Worker) }},
		"audit":   {read: func(n node) { c.Audit = r.readAudit(n) }},
		"keys":    {read: func(n node) { c.Keys = r.readKeys(n) }},
		"listen":  {read: func(n node) { c.Listen = r.readListen(n) }},
		"metrics": {read: func(n node) { c.Metrics = r.readListenAddress(n, remedyForMetrics) }},
		"pull":    {read: func(n node) { c.Pull = r.readPulls(n) }},
		"notify":  {read: func(n node) { c.Notify = r.readNotify(n) }},
		"farms": {required: r.requiredOfAWorker("name at least one farm"), read: func(n node) {
			r.readList(n, func(n node) {
				c.Farms = append(c.Farms, r.readFarm(n))
				r.farmsRead++
			})
		}},
		"approvers":   {read: func(n node) { c.Approvers = r.readApprovers(n) }},
		"connections": {required: r.requiredOfAWorker("define how to connect to the servers"), read: func(n node) { r.readConnections(n, c.Connections) }},
	})
	if c.Worker.Mode != farm.ModeObserve {
		return
	}
	for i := range c.Farms {
		c.Farms[i].Rotation.Mode = farm.ModeObserve
	}
}

// isAboutEventsAlone reports whether a file has nothing that only a worker needs.
func isAboutEventsAlone(root node) bool {
	has := map[string]bool{}
	for i := 0; i < len(root.Content); i += 2 { // keys and their values take turns
		has[root.Content[i].Value] = true
	}
	return (has["listen"] || has["pull"]) && !has["farms"] && !has["connections"]
}

// requiredOfAWorker is the remedy for a missing key that only a worker needs.
func (r *reader) requiredOfAWorker(remedy string) string {
	if r.use == forIntake {
		return ""
	}
	return remedy
}

func (r *reader) readSiteName(n node) string {
	name, ok := r.readName(n, maxName)
	if ok && !farm.IsName(name) {
		r.addProblem(n, "write a name such as berlin", "may contain only letters, digits, dots, dashes and underscores")
	}
	return name
}

func (r *reader) readWorker(n node, w Worker) Worker {
	r.readMapping(n, fields{
		"concurrentCalls": {read: func(n node) { w.ConcurrentCalls = r.readNumber(n, maxConcurrentCalls) }},
		"mode":            {read: func(n node) { w.Mode = readChoice(r, n, modes, nil) }},
	})
	return w
}

func (r *reader) readFarm(n node) Farm {
	f := Farm{Farm: farm.Farm{Rotation: defaultPolicy()}}
	var window, fourEyes node
	r.readMapping(n, fields{
		"name":        {required: "name the farm", read: func(n node) { f.Name = r.readFarmName(n) }},
		"office":      {required: "name the Office Online Server machines", read: func(n node) { f.Office = r.readOffice(n) }},
		"sharePoint":  {required: "name the SharePoint farms that trust this farm", read: func(n node) { f.SharePoint = r.readSharePoints(n) }},
		"certificate": {required: "say where the certificate comes from", read: func(n node) { f.Certificate, f.Source = r.readCertificate(n) }},
		"rotation":    {read: func(n node) { f.Rotation, window, fourEyes = r.readRotation(n, f.Rotation) }},
	})
	if fourEyes.Node != nil {
		r.fourEyes[f.Name] = fourEyes
	}
	r.checkWindow(window, f.Farm)
	return f
}

func (r *reader) readFarmName(n node) string {
	name, ok := r.readName(n, maxName)
	if ok && !farm.IsName(name) {
		r.addProblem(n, "write a name such as contoso-berlin", "may contain only letters, digits, dots, dashes and underscores")
	}
	// Temporal would tell names that differ only in case apart; operators would
	// not.
	if first, taken := r.farmNames[strings.ToLower(name)]; taken && ok {
		r.addProblem(n, "give each farm its own name", "farm %s is already on line %d", name, first)
	}
	r.farmNames[strings.ToLower(name)] = n.Line
	return name
}

// readOffice reads the first office farm, and the others in it.
func (r *reader) readOffice(n node) farm.Office {
	var others node
	office, connection := r.readOfficeFarm(n, "", fields{"others": {read: func(n node) { others = n }}})
	if others.Node == nil {
		return office
	}
	taken := map[string]bool{}
	r.readList(others, func(n node) {
		var name string
		other, _ := r.readOfficeFarm(n, connection, fields{
			"name": {required: "name the office farm, such as dr", read: func(n node) { name = r.readOfficeName(n, taken) }},
		})
		other.Name = name
		office.Others = append(office.Others, other)
	})
	return office
}

func (r *reader) readOfficeName(n node, taken map[string]bool) string {
	name, ok := r.readName(n, maxName)
	if ok && !farm.IsName(name) {
		r.addProblem(n, "write a name such as dr", "may contain only letters, digits, dots, dashes and underscores")
	}
	if taken[strings.ToLower(name)] && ok {
		r.addProblem(n, "give each office farm its own name", "there is another office farm %s", name)
	}
	taken[strings.ToLower(name)] = true
	return name
}

// readOfficeFarm reads an office farm with more fields than those that every one
// has. It returns it with the connection of its servers: the given one where they
// name none.
func (r *reader) readOfficeFarm(n node, connection string, more fields) (farm.Office, string) {
	office := farm.Office{ProveKeyAs: farm.AsNetworkService}
	var places []node
	all := fields{
		"servers": {required: "name every machine of the Office Online Server farm", read: func(n node) {
			r.readList(n, func(n node) { office.Servers, places = append(office.Servers, r.readServer(n)), append(places, n) })
		}},
		"connection": {read: func(n node) { connection, _ = r.readText(n) }},
		"allowOutboundHttp": {read: func(n node) {
			office.AllowOutboundHTTP = r.readHTTPSetting(n, "office servers may send S2S tokens over HTTP, where they can be intercepted and replayed")
		}},
		"allowHttpSecureStoreConnections": {read: func(n node) {
			office.AllowHTTPSecureStoreConnections = r.readHTTPSetting(n, "ODC files, which may hold passwords, travel in clear text")
		}},
		"proveKeyAs": {read: func(n node) {
			office.ProveKeyAs = readChoice(r, n, []farm.KeyProof{farm.AsNetworkService, farm.AsAdministrator}, nil)
		}},
	}
	maps.Copy(all, more)
	r.readMapping(n, all)
	for i := range office.Servers {
		office.Servers[i] = r.addPlacement(places[i], withConnection(office.Servers[i], connection), officeMachine)
	}
	return office, connection
}

// readHTTPSetting reads one of the two HTTP settings of the procedure.
func (r *reader) readHTTPSetting(n node, consequence string) *bool {
	allowed := r.readFlag(n)
	if allowed {
		r.addWarning(n, "use HTTPS and remove the setting", "%s", consequence)
	}
	return &allowed
}

// readServer reads a host name, or a mapping with an address or a connection.
func (r *reader) readServer(n node) (s farm.Server) {
	if n.isMapping() {
		r.readMapping(n, fields{
			"host":       {required: "name the server", read: func(n node) { s.Host = r.readHost(n) }},
			"address":    {read: func(n node) { s.Address = r.readAddress(n) }},
			"connection": {read: func(n node) { s.Connection, _ = r.readText(n) }},
		})
		return s
	}
	s.Host = r.readHost(n)
	return s
}

func (r *reader) readHost(n node) string {
	host, ok := r.readName(n, 253)
	switch {
	case !ok:
	case net.ParseIP(host) != nil:
		r.addProblem(n, fmt.Sprintf("write {host: NAME, address: '%s'}, with the name in the server's WinRM certificate", net.JoinHostPort(host, winRMPort)),
			"%s is an address, and not the name of a server", host)
	case !hostNamePattern.MatchString(host):
		r.addProblem(n, "write a DNS name such as oos-01.contoso.com; a port goes under address", "%q is not the name of a server", host)
	}
	return host
}

func (r *reader) readAddress(n node) string {
	address, ok := r.readText(n)
	if !ok {
		return ""
	}
	host, port, err := net.SplitHostPort(address)
	number, portErr := strconv.Atoi(port)
	if err != nil || portErr != nil || host == "" || number < 1 || number > maxPort {
		r.addProblem(n, "write host:port, such as 10.0.0.7:5986", "%q is not an address", address)
	}
	return address
}

// withConnection returns the server with the connection that it shares with others,
// unless it has its own.
func withConnection(s farm.Server, connection string) farm.Server {
	if s.Connection == "" {
		s.Connection = connection
	}
	return s
}

func (r *reader) readSharePoints(n node) (all []farm.SharePoint) {
	r.readList(n, func(n node) { all = append(all, r.readSharePoint(n)) })
	return all
}

func (r *reader) readSharePoint(n node) farm.SharePoint {
	sp := farm.SharePoint{IssuerName: defaultIssuerName, RunAs: farm.Direct}
	var connection string
	var frontEnd node
	var places []node
	r.readMapping(n, fields{
		"frontEnd": {required: "name the server that SharePoint cmdlets run on", read: func(n node) { sp.FrontEnd, frontEnd = r.readServer(n), n }},
		"servers": {read: func(n node) {
			r.readList(n, func(n node) { sp.Servers, places = append(sp.Servers, r.readServer(n)), append(places, n) })
		}},
		"connection": {read: func(n node) { connection, _ = r.readText(n) }},
		"sites": {required: "name the top-level site collections that use Office Online Server", read: func(n node) {
			r.readList(n, func(n node) { sp.Sites = append(sp.Sites, r.readSite(n, sp.Sites)) })
		}},
		"issuerName": {read: func(n node) { sp.IssuerName, _ = r.readName(n, maxName-len(longestProduct)) }},
		"runAs": {read: func(n node) {
			sp.RunAs = readChoice(r, n, []farm.RunAs{farm.Direct, farm.Task}, nil)
		}},
	})
	if frontEnd.Node == nil {
		return sp
	}
	role := frontEndServer
	if sp.RunAs == farm.Task {
		// A local account is enough to start the task, which runs under another one.
		role = sharePointServer
	}
	sp.FrontEnd = r.addPlacement(frontEnd, withConnection(sp.FrontEnd, connection), role)
	sp.Servers = r.includeFrontEnd(sp, connection, places)
	return sp
}

// includeFrontEnd returns the servers of the farm, with the front end among them
// whether or not it is listed. If it is listed by name alone, the address and
// connection under frontEnd apply.
func (r *reader) includeFrontEnd(sp farm.SharePoint, connection string, places []node) []farm.Server {
	listed := false
	for i, s := range sp.Servers {
		if listed || !strings.EqualFold(s.Host, sp.FrontEnd.Host) {
			sp.Servers[i] = r.addPlacement(places[i], withConnection(s, connection), sharePointServer)
			continue
		}
		bare := s.Address == "" && s.Connection == ""
		if withConnection(s, connection) != sp.FrontEnd && !bare {
			r.addProblem(places[i], "write its address and connection under frontEnd only", "describes the front end differently from frontEnd")
		}
		sp.Servers[i], listed = sp.FrontEnd, true
	}
	if listed {
		return sp.Servers
	}
	return append([]farm.Server{sp.FrontEnd}, sp.Servers...)
}

// readSite reads the URL of a site collection, which must not be among those
// before.
func (r *reader) readSite(n node, before []string) string {
	text, ok := r.readText(n)
	if !ok {
		return ""
	}
	if strings.ContainsRune(text, ' ') {
		r.addProblem(n, "write %20 for a blank", "has a blank")
		return text
	}
	site, err := url.Parse(text)
	if err != nil || (site.Scheme != "https" && site.Scheme != "http") || site.Hostname() == "" ||
		site.User != nil || site.RawQuery != "" || site.Fragment != "" {
		r.addProblem(n, "write the full URL of a site collection, such as https://portal.contoso.com", "is not the URL of a site")
		return text
	}
	if site.Scheme == "http" {
		r.addWarning(n, "use HTTPS", "S2S tokens for %s travel in clear text and can be replayed", site.Host)
	}
	for _, other := range before {
		if strings.EqualFold(strings.TrimSuffix(other, "/"), strings.TrimSuffix(text, "/")) {
			r.addProblem(n, "name each site once", "%s is listed twice", text)
		}
	}
	return text
}
