package connect

import (
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
)

// remedy is what a failure to connect means, and what to do about it.
type remedy struct {
	// sign is a part of the error's text: gRPC passes on the text of what failed, and
	// nothing else of it.
	sign string
	// means may have a verb for the text behind the sign.
	means, remedy string
}

// A server that hangs up without a word, or whose word was overtaken by that.
const (
	closes       = "it closes the connection, as a server does that expects TLS, or a client certificate"
	closesRemedy = "set TEMPORAL_TLS=true, TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH as it asks, or TEMPORAL_ADDRESS"
)

// remedies are looked through in order. The signs are those of Go's TLS and network
// packages and of gRPC's transport, as a test meets them.
var remedies = []remedy{
	{"certificate signed by unknown authority", "its certificate is from an authority that is not trusted here", "set TEMPORAL_TLS_SERVER_CA_CERT_PATH to a file with that authority"},
	{"certificate is valid for ", "its certificate is for %s", "set TEMPORAL_TLS_SERVER_NAME to a name that it is for"},
	{"certificate has expired or is not yet valid", "its certificate has expired, or a clock is wrong", "renew it, or set the clock"},
	{"first record does not look like a TLS handshake", "it does not speak TLS", "unset TEMPORAL_TLS and TEMPORAL_API_KEY, or set TEMPORAL_ADDRESS"},
	{"remote error: tls: ", "it refuses the client certificate, or asks for one (%s)", "set TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH"},
	{"looked like an HTTP/1.1 header", "what answers there is not Temporal", "set TEMPORAL_ADDRESS to its gRPC port, which is usually 7233; the UI has another one"},
	{"unexpected HTTP status code", "what answers there is not Temporal", "set TEMPORAL_ADDRESS to its gRPC port, which is usually 7233; a proxy may be in between"},
	{"error reading server preface", closes, closesRemedy},
	{"broken pipe", closes, closesRemedy},
	{"connection reset by peer", closes, closesRemedy},
	{"no children to pick from", "the name is not found", "set TEMPORAL_ADDRESS to HOST:PORT, or correct the name service"},
	{"no such host", "the name is not found", "set TEMPORAL_ADDRESS to HOST:PORT, or correct the name service"},
	{"connection refused", "nothing listens there", "start it there (docker compose up -d; to try things out, farmtrust-standalone -server-only -open), or set TEMPORAL_ADDRESS"},
	{"context deadline exceeded", "no answer within " + dialTimeout.String(), "start it there, open the firewall, or set TEMPORAL_ADDRESS"},
}

// describeFailure says what a failure to connect means, and what to do, on one line.
func describeFailure(err error) string {
	switch codeOf(err) {
	case codes.PermissionDenied, codes.Unauthenticated:
		return "it refuses the credentials; " + credentialsRemedy
	}
	text := err.Error()
	for _, r := range remedies {
		if _, rest, found := strings.Cut(text, r.sign); found {
			if strings.Contains(r.means, "%s") {
				return fmt.Sprintf(r.means, strings.TrimRight(rest, `"`)) + "; " + r.remedy
			}
			return r.means + "; " + r.remedy
		}
	}
	return text + "; start it there, or set TEMPORAL_ADDRESS (and TEMPORAL_TLS or TEMPORAL_API_KEY if the server asks for them)"
}

// credentialsRemedy is what to do about credentials that are refused.
const credentialsRemedy = "check TEMPORAL_API_KEY, or the client certificate (TEMPORAL_TLS_CLIENT_CERT_PATH), and what it is permitted"

// RefusedError means that the server answers, and does not permit what was asked for.
type RefusedError struct {
	Address, Namespace string
	Err                error
}

// IsRefusal reports whether an error means that the server does not permit something.
func IsRefusal(err error) bool {
	code := codeOf(err)
	return code == codes.PermissionDenied || code == codes.Unauthenticated
}

// Error names what is refused, and the remedy.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("temporal at %s refuses the credentials for namespace %q (%v); %s", e.Address, e.Namespace, e.Err, credentialsRemedy)
}

// Unwrap returns Err.
func (e *RefusedError) Unwrap() error { return e.Err }
