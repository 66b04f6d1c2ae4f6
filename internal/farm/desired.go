package farm

import "fmt"

// Desired is what a farm should look like: its configuration, and the
// certificate that a rotation works towards.
type Desired struct {
	Farm   Farm        `json:"farm"`
	Target Certificate `json:"target"`
}

// Desire returns the desired state of a farm, with the target's friendly name
// pinned.
//
// A certificate that a server already holds under a friendly name keeps it,
// because a name that was given is never changed. A new certificate gets a name
// that no earlier one has, because Office Online Server selects certificates by
// friendly name alone.
func Desire(f Farm, target Certificate, o Observed) Desired {
	if names := targetNames(target.Thumbprint, o); len(names) > 0 {
		target.FriendlyName = names[0]
	} else {
		target.FriendlyName = FriendlyName(f, target)
	}
	return Desired{Farm: f, Target: target}
}

// FriendlyName returns the name that farmtrust gives a certificate on import.
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

// IssuerDisplayName returns the display name of an issuer that a rotation creates.
func (s SharePoint) IssuerDisplayName(i Issuer) string { return s.IssuerName + " " + i.Product }

// RootAuthorityName returns the name of a root authority that a rotation creates.
func (s SharePoint) RootAuthorityName(c ChainCertificate) string {
	return s.IssuerName + " " + c.Thumbprint.Short()
}
