package config

import (
	"net/url"

	"github.com/farmtrust/farmtrust/internal/secret"
)

// Notify is who tells operators what they need to know.
type Notify struct {
	// URL is where notices are POSTed.
	URL string
	// Bearer is the token that authenticates the worker there; empty for none.
	Bearer secret.Ref
	// CA is a file of PEM certificates that the receiver's certificate is verified against;
	// empty means the CAs that the system trusts.
	CA string
}

func (r *reader) readNotify(n node) *Notify {
	notify := &Notify{}
	r.readMapping(n, fields{
		"url":    {required: "write where notices are POSTed, such as https://alerts.contoso.com/farmtrust", read: func(n node) { notify.URL = r.readReceiver(n) }},
		"bearer": {read: func(n node) { notify.Bearer = r.readSecret(n) }},
		"ca":     {read: func(n node) { notify.CA = r.readPath(n) }},
	})
	return notify
}

// readReceiver reads the address of a receiver. Without HTTPS it is one of this machine:
// notices name servers and what is wrong with them, and the token would be anybody's.
func (r *reader) readReceiver(n node) string {
	text, ok := r.readText(n)
	if !ok {
		return ""
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
		r.addProblem(n, "write a URL such as https://alerts.contoso.com/farmtrust; http is for this machine alone", "is not the https URL of a receiver")
		return ""
	}
	return text
}
