package config

import (
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
	// store. Microsoft's script for token issuers refuses more than 50
	// characters; the true limit of the product is not published.
	maxName = 50
	// maxSubject leaves room for the time that follows: 64 characters are what
	// a common name holds (RFC 5280, ub-common-name).
	maxSubject = 48
	// longestProduct is the longer of the two suffixes of issuer names.
	longestProduct = " SharePoint Server"
	// maxAtOnce is also the largest farm that is supported.
	maxAtOnce = 100

	defaultIssuerName      = "OOS"
	defaultCertificateName = "OOS S2S"
	defaultLeadTime        = 30 * day
	defaultValidFor        = 730 * day
	defaultAtOnce          = 10
	defaultRestartAtOnce   = 1
)

var (
	// A farm's name is part of workflow IDs and is typed on command lines.
	farmName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*$`)
	// A drive path without the characters that Windows forbids in names.
	windowsPath = regexp.MustCompile(`^[A-Za-z]:\\[^/:*?"<>|]*[^/:*?"<>|\\]$`)
)

// config reads the whole document.
func (r *reader) config(root node, c *Config) {
	c.Connections = map[string]Connection{}
	r.mapping(root, fields{
		"farms": {required: "name at least one farm", read: func(n node) {
			r.list(n, func(n node) {
				c.Farms = append(c.Farms, r.farm(n))
				r.farmsRead++
			})
		}},
		"connections": {required: "say how servers are spoken to", read: func(n node) { r.connections(n, c.Connections) }},
	})
}

func (r *reader) farm(n node) Farm {
	f := Farm{Farm: farm.Farm{Rotation: defaultRotation()}}
	var window node
	r.mapping(n, fields{
		"name":        {required: "name the farm", read: func(n node) { f.Name = r.farmName(n) }},
		"office":      {required: "name the Office Online Server machines", read: func(n node) { f.Office = r.office(n) }},
		"sharePoint":  {required: "name the SharePoint farms that trust this farm", read: func(n node) { f.SharePoint = r.sharePoints(n) }},
		"certificate": {required: "say where the certificate comes from", read: func(n node) { f.Certificate, f.Source = r.certificate(n) }},
		"rotation":    {read: func(n node) { f.Rotation, window = r.rotation(n, f.Rotation) }},
	})
	r.checkWindow(window, f.Farm)
	return f
}

func (r *reader) farmName(n node) string {
	name, ok := r.name(n, maxName)
	if ok && !farmName.MatchString(name) {
		r.problem(n, "write a name such as contoso-berlin", "may hold letters, digits, dots, dashes and underscores only")
	}
	// Names that differ in case only would be told apart by Temporal, but not
	// by people.
	if first, taken := r.farmNames[strings.ToLower(name)]; taken && ok {
		r.problem(n, "give each farm its own name", "farm %s is already on line %d", name, first)
	}
	r.farmNames[strings.ToLower(name)] = n.Line
	return name
}

func (r *reader) office(n node) farm.Office {
	office := farm.Office{ProveKeyAs: farm.AsNetworkService}
	var connection string
	var places []node
	r.mapping(n, fields{
		"servers": {required: "name every machine of the Office Online Server farm", read: func(n node) {
			r.list(n, func(n node) { office.Servers, places = append(office.Servers, r.server(n)), append(places, n) })
		}},
		"connection": {read: func(n node) { connection, _ = r.text(n) }},
		"allowOutboundHttp": {read: func(n node) {
			office.AllowOutboundHTTP = r.httpSwitch(n, "office servers may send S2S tokens over HTTP, where they can be intercepted and replayed")
		}},
		"allowHttpSecureStoreConnections": {read: func(n node) {
			office.AllowHTTPSecureStoreConnections = r.httpSwitch(n, "ODC files, which may hold passwords, travel in clear text")
		}},
		"exportTo": {read: func(n node) { office.ExportTo = r.exportTo(n) }},
		"proveKeyAs": {read: func(n node) {
			office.ProveKeyAs = choice(r, n, []farm.KeyProof{farm.AsNetworkService, farm.AsAdministrator}, nil)
		}},
	})
	for i := range office.Servers {
		office.Servers[i] = r.place(places[i], orConnection(office.Servers[i], connection), officeMachine)
	}
	return office
}

// httpSwitch reads one of the two HTTP switches of the procedure.
func (r *reader) httpSwitch(n node, consequence string) *bool {
	allowed := r.flag(n)
	if allowed {
		r.warning(n, "use HTTPS and leave the switch out", "%s", consequence)
	}
	return &allowed
}

func (r *reader) exportTo(n node) string {
	path, ok := r.text(n)
	if ok && !windowsPath.MatchString(path) {
		r.problem(n, `write a local path such as C:\farmtrust\s2s.cer`, "must be the path of a file on a drive of the first office server")
	}
	return path
}

// server reads a host name, or a mapping where more is to be said.
func (r *reader) server(n node) (s farm.Server) {
	if n.isMapping() {
		r.mapping(n, fields{
			"host":       {required: "name the server", read: func(n node) { s.Host = r.host(n) }},
			"address":    {read: func(n node) { s.Address = r.address(n) }},
			"connection": {read: func(n node) { s.Connection, _ = r.text(n) }},
		})
		return s
	}
	s.Host = r.host(n)
	return s
}

func (r *reader) host(n node) string {
	host, ok := r.name(n, 253)
	if ok && !hostName.MatchString(host) {
		r.problem(n, "write a DNS name such as oos-01.contoso.com; a port goes under address", "%q is not the name of a server", host)
	}
	return host
}

func (r *reader) address(n node) string {
	address, ok := r.text(n)
	if !ok {
		return ""
	}
	host, port, err := net.SplitHostPort(address)
	number, portErr := strconv.Atoi(port)
	if err != nil || portErr != nil || host == "" || number < 1 || number > 65535 {
		r.problem(n, "write host:port, such as 10.0.0.7:5986", "%q is not an address", address)
	}
	return address
}

// orConnection gives a server without a connection of its own the common one.
func orConnection(s farm.Server, connection string) farm.Server {
	if s.Connection == "" {
		s.Connection = connection
	}
	return s
}

func (r *reader) sharePoints(n node) (all []farm.SharePoint) {
	r.list(n, func(n node) { all = append(all, r.sharePoint(n)) })
	return all
}

func (r *reader) sharePoint(n node) farm.SharePoint {
	sp := farm.SharePoint{IssuerName: defaultIssuerName, RunAs: farm.Direct}
	var connection string
	var frontEnd node
	var places []node
	r.mapping(n, fields{
		"frontEnd": {required: "name the server that SharePoint cmdlets run on", read: func(n node) { sp.FrontEnd, frontEnd = r.server(n), n }},
		"servers": {read: func(n node) {
			r.list(n, func(n node) { sp.Servers, places = append(sp.Servers, r.server(n)), append(places, n) })
		}},
		"connection": {read: func(n node) { connection, _ = r.text(n) }},
		"sites": {required: "name the top-level site collections that use Office Online Server", read: func(n node) {
			r.list(n, func(n node) { sp.Sites = append(sp.Sites, r.site(n, sp.Sites)) })
		}},
		"issuerName": {read: func(n node) { sp.IssuerName, _ = r.name(n, maxName-len(longestProduct)) }},
		"runAs": {read: func(n node) {
			sp.RunAs = choice(r, n, []farm.RunAs{farm.Direct, farm.Task}, nil)
		}},
	})
	if frontEnd.Node == nil {
		return sp
	}
	role := frontEndServer
	if sp.RunAs == farm.Task {
		// A local account may start the task, which reaches SQL Server as another.
		role = sharePointServer
	}
	sp.FrontEnd = r.place(frontEnd, orConnection(sp.FrontEnd, connection), role)
	sp.Servers = r.withFrontEnd(sp, connection, places)
	return sp
}

// withFrontEnd returns the servers of the farm, of which the front end is one
// whether it is listed or not. Where it is listed by its name alone, it is
// reached as frontEnd says.
func (r *reader) withFrontEnd(sp farm.SharePoint, connection string, places []node) []farm.Server {
	listed := false
	for i, s := range sp.Servers {
		if listed || !strings.EqualFold(s.Host, sp.FrontEnd.Host) {
			sp.Servers[i] = r.place(places[i], orConnection(s, connection), sharePointServer)
			continue
		}
		bare := s.Address == "" && s.Connection == ""
		if orConnection(s, connection) != sp.FrontEnd && !bare {
			r.problem(places[i], "write its address and connection under frontEnd only", "describes the front end differently than frontEnd does")
		}
		sp.Servers[i], listed = sp.FrontEnd, true
	}
	if listed {
		return sp.Servers
	}
	return append([]farm.Server{sp.FrontEnd}, sp.Servers...)
}

// site reads the URL of a site collection that is not among those before.
func (r *reader) site(n node, before []string) string {
	text, ok := r.text(n)
	if !ok {
		return ""
	}
	site, err := url.Parse(text)
	if err != nil || (site.Scheme != "https" && site.Scheme != "http") || site.Hostname() == "" ||
		site.User != nil || site.RawQuery != "" || site.Fragment != "" {
		r.problem(n, "write the whole URL of a site collection, such as https://portal.contoso.com", "is not the URL of a site")
		return text
	}
	if site.Scheme == "http" {
		r.warning(n, "use HTTPS", "S2S tokens for %s travel in clear text and can be replayed", site.Host)
	}
	for _, other := range before {
		if strings.EqualFold(strings.TrimSuffix(other, "/"), strings.TrimSuffix(text, "/")) {
			r.problem(n, "name each site once", "%s is listed twice", text)
		}
	}
	return text
}
