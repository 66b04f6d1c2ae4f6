package connect

import (
	"fmt"
	"net"
	"os"
	"strings"

	"go.temporal.io/sdk/client"
)

// PlaintextVariable is the environment variable that, set to true, permits what
// [Options.Plaintext] does.
const PlaintextVariable = "FARMTRUST_PLAINTEXT"

// PlaintextError means that anybody who is between this machine and Temporal could read and
// change everything: the connection has no TLS, or does not verify who answers.
type PlaintextError struct {
	// Address is the server's host:port.
	Address string
	// Unverified reports whether there is TLS, with anybody.
	Unverified bool
}

// Error names the remedies.
func (e *PlaintextError) Error() string {
	what, remedy := "without TLS", "set TEMPORAL_TLS=true, with TEMPORAL_TLS_SERVER_CA_CERT_PATH if its authority is one of your own"
	if e.Unverified {
		what, remedy = "without verifying its certificate", "unset TEMPORAL_TLS_DISABLE_HOST_VERIFICATION; TEMPORAL_TLS_SERVER_NAME and TEMPORAL_TLS_SERVER_CA_CERT_PATH say what to expect"
	}
	return fmt.Sprintf("connect to Temporal at %s %s: anybody who is in between could read and change everything; %s; "+
		"or accept that, for a network that nobody else reaches, with the flag plaintext or %s=true", e.Address, what, remedy, PlaintextVariable)
}

// checkPlaintext returns a [*PlaintextError] for a connection that leaves this machine
// and is not protected, unless that is permitted.
func checkPlaintext(options client.Options, permitted bool) error {
	tls := options.ConnectionOptions.TLS
	protected := tls != nil && !tls.InsecureSkipVerify
	if protected || permitted || os.Getenv(PlaintextVariable) == "true" || isLocal(options.HostPort) {
		return nil
	}
	return &PlaintextError{Address: options.HostPort, Unverified: tls != nil}
}

// isLocal reports whether an address is one of this machine: a Unix socket, the name
// localhost, or a loopback address. Any other name could lead elsewhere tomorrow.
//
// Source: gRPC, "gRPC Name Resolution", for the forms of an address.
func isLocal(address string) bool {
	if scheme, _, ok := strings.Cut(address, ":"); ok && (scheme == "unix" || scheme == "unix-abstract") {
		return true
	}
	for _, resolver := range []string{"dns:", "passthrough:", "ipv4:", "ipv6:"} {
		if rest, ok := strings.CutPrefix(address, resolver); ok {
			address = strings.TrimLeft(rest, "/")
			break
		}
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.Trim(address, "[]")
	}
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
