package config

import (
	"net"
	"net/netip"
	"strconv"

	"github.com/farmtrust/farmtrust/internal/secret"
)

// The remedies of what is wrong with the door.
const (
	remedyForAddress = `write ":8443", or HOST:PORT to listen on one address`
	remedyForMetrics = `write 127.0.0.1:9464, or another HOST:PORT`
	remedyForTLS     = "write certificate and key, or proxies"
)

// Listen is the door through which expiry events come in over HTTP.
type Listen struct {
	// Address is where it listens, HOST:PORT; the host may be empty.
	Address string
	// Certificate is a file with the door's certificate and its chain in PEM, and Key
	// the secret that is its key. Both are empty where Proxies are set.
	Certificate string
	Key         secret.Ref
	// Proxies are the only ones that may connect, without TLS.
	Proxies []netip.Prefix
	// Sources are who may send, in the order of the file.
	Sources []Sender
}

func (r *reader) readListen(n node) *Listen {
	l := &Listen{}
	taken := map[string]int{}
	var certificateProofs []node
	r.readMapping(n, fields{
		"address":     {required: remedyForAddress, read: func(n node) { l.Address = r.readListenAddress(n, remedyForAddress) }},
		"certificate": {read: func(n node) { l.Certificate = r.readPath(n) }},
		"key":         {read: func(n node) { l.Key = r.readSecret(n) }},
		"proxies": {read: func(n node) {
			r.readList(n, func(n node) { l.Proxies = append(l.Proxies, r.readProxy(n)) })
		}},
		"sources": {required: "name who may send events", read: func(n node) {
			r.readList(n, func(n node) {
				s := r.readSender(n, taken)
				l.Sources = append(l.Sources, s)
				if s.Proof.ClientCertificate != nil {
					certificateProofs = append(certificateProofs, n.child("clientCertificate"))
				}
			})
		}},
	})
	switch hasTLS := l.Certificate != "" || l.Key != ""; {
	case !n.isMapping():
	case hasTLS && len(l.Proxies) > 0:
		r.addProblem(n, remedyForTLS, "has both a certificate and proxies: behind a proxy, TLS ends there")
	case len(l.Proxies) == 0 && (l.Certificate == "" || l.Key == ""):
		r.addProblem(n, remedyForTLS, "lacks a certificate or its key: secrets would travel in clear text")
	}
	for _, at := range certificateProofs {
		if len(l.Proxies) > 0 {
			r.addProblem(at, "prove it in another way, or let the door have TLS itself", "no client certificate comes through a proxy")
		}
	}
	return l
}

// readListenAddress reads an address of this machine, whose host may be empty.
func (r *reader) readListenAddress(n node, remedy string) string {
	address, ok := r.readText(n)
	if !ok {
		return ""
	}
	_, port, err := net.SplitHostPort(address)
	number, portErr := strconv.Atoi(port)
	if err != nil || portErr != nil || number < 1 || number > maxPort {
		r.addProblem(n, remedy, "%q is not an address to listen on", address)
	}
	return address
}

// readProxy reads an IP address, or a network such as 10.0.0.0/28.
func (r *reader) readProxy(n node) netip.Prefix {
	text, ok := r.readText(n)
	if !ok {
		return netip.Prefix{}
	}
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())
	}
	network, err := netip.ParsePrefix(text)
	if err != nil || network.Bits() == 0 {
		r.addProblem(n, "write its address, such as 10.0.0.5, or its network, such as 10.0.0.0/28", "%q is not IP addresses of a proxy", text)
	}
	return network.Masked()
}
