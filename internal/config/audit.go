package config

import (
	"net/url"
	"slices"
)

// syslogSchemes are the ways to a syslog server, of which unix is a socket of this
// machine.
var syslogSchemes = []string{"udp", "tcp", "tls", "unix"}

func (r *reader) readAudit(n node) *Audit {
	a := &Audit{}
	r.readMapping(n, fields{
		"file":     {required: "name the file, such as /var/log/farmtrust/audit.jsonl", read: func(n node) { a.File = r.readPath(n) }},
		"syslog":   {read: func(n node) { a.Syslog = r.readSyslog(n) }},
		"eventLog": {read: func(n node) { a.EventLog = r.readFlag(n) }},
	})
	return a
}

func (r *reader) readSyslog(n node) string {
	const remedy = "write udp://HOST:514, tcp://HOST:601, tls://HOST:6514 or unix:///dev/log"
	text, ok := r.readText(n)
	if !ok {
		return ""
	}
	u, err := url.Parse(text)
	if err != nil || !isSyslog(u) {
		r.addProblem(n, remedy, "is not the address of a syslog server")
		return ""
	}
	if u.Scheme == "udp" || u.Scheme == "tcp" {
		r.addWarning(n, "use tls:// or a socket of this machine, from which an agent sends on", "anybody who is on the network path can read and change what is sent to syslog; the file shows what was changed")
	}
	return text
}

// isSyslog reports whether an address is that of a syslog server: a socket, or a host with
// its port, and nothing besides.
func isSyslog(u *url.URL) bool {
	if !slices.Contains(syslogSchemes, u.Scheme) || u.User != nil || u.RawQuery != "" {
		return false
	}
	if u.Scheme == "unix" {
		return u.Host == "" && len(u.Path) > 1
	}
	return u.Hostname() != "" && u.Port() != "" && u.Path == ""
}
