package farm

import "fmt"

// Desired is what a farm should look like: its configuration and the
// certificate a rotation works towards.
type Desired struct {
	Farm   Farm        `json:"farm"`
	Target Certificate `json:"target"`
}

// Desire pins the target's friendly name and returns what is desired of f.
//
// A certificate that some server already holds under a friendly name keeps
// that name, because an existing certificate is never renamed. A new one gets
// a name that no other generation has, because Office Online Server selects
// it by friendly name alone.
func Desire(f Farm, target Certificate, o Observed) Desired {
	if names := targetNames(target.Thumbprint, o); len(names) > 0 {
		target.FriendlyName = names[0]
	} else {
		target.FriendlyName = FriendlyName(f, target)
	}
	return Desired{Farm: f, Target: target}
}

// FriendlyName is the name that farmtrust gives a certificate on import.
func FriendlyName(f Farm, target Certificate) string {
	return fmt.Sprintf("%s %s %s", f.Certificate.Name, target.NotBefore.UTC().Format("2006-01-02"), target.Thumbprint.Short())
}

// targetNames lists the distinct friendly names under which servers hold the
// target, in server order.
func targetNames(target Thumbprint, o Observed) []string {
	var names []string
	seen := map[string]bool{}
	for _, s := range o.Office {
		if c, ok := s.Certificate(target); ok && c.FriendlyName != "" && !seen[c.FriendlyName] {
			seen[c.FriendlyName] = true
			names = append(names, c.FriendlyName)
		}
	}
	return names
}

// IssuerDisplayName is the name of an issuer that is created.
func (s SharePoint) IssuerDisplayName(i Issuer) string { return s.IssuerName + " " + i.Product }

// RootAuthorityName is the name of a root authority that is created.
func (s SharePoint) RootAuthorityName(c ChainCertificate) string {
	return s.IssuerName + " " + c.Thumbprint.Short()
}
