package farm

import "strings"

// TrimHost returns a text that is shown beside the name of a server without that name
// in front: what a server answered begins with it.
func TrimHost(text, host string) string { return strings.TrimPrefix(text, host+": ") }
