package connect

import (
	"fmt"
	"net"
	"strings"
)

// IsCloud reports whether an address is one of Temporal Cloud, where namespaces and
// search attributes are managed by Cloud's own programs.
//
// Source: Temporal, "Namespaces" and "API keys" of Temporal Cloud: namespace
// endpoints end in tmprl.cloud, regional ones in api.temporal.io.
func IsCloud(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return strings.HasSuffix(host, ".tmprl.cloud") || strings.HasSuffix(host, ".api.temporal.io")
}

// NamespaceError means that the server has no such namespace. It may be created
// any time.
type NamespaceError struct {
	Address, Namespace string
	Err                error
}

// Error names the command that creates the namespace.
func (e *NamespaceError) Error() string {
	if IsCloud(e.Address) {
		return fmt.Sprintf("no namespace %q in Temporal Cloud, or no permission for it: its name is NAME.ACCOUNT; "+
			"create it there (tcld namespace create), or set TEMPORAL_NAMESPACE", e.Namespace)
	}
	return fmt.Sprintf("temporal has no namespace %q: run: TEMPORAL_NAMESPACE=%s farmtrust-worker namespace, or set TEMPORAL_NAMESPACE",
		e.Namespace, e.Namespace)
}

// Unwrap returns Err.
func (e *NamespaceError) Unwrap() error { return e.Err }
