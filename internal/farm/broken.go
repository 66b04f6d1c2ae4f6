package farm

import "fmt"

// BrokenTrust lists what keeps data refreshes from working now, whatever a rotation would
// change: an office server that does not sign with the certificate in use, and a
// SharePoint farm that does not accept it. It is empty before the first set-up, and where
// not every server was observed.
func (n Inspection) BrokenTrust() []string {
	if n.Current.Thumbprint == "" || n.Unobserved() != "" {
		return nil
	}
	var broken []string
	in := n.Current.Thumbprint
	for _, s := range n.Observed.Office {
		switch selected, ok := s.Selected(); {
		case !s.Joined:
			broken = append(broken, fmt.Sprintf("%s: %s", s.Machine.Host, s.WhyUnread()))
		case !ok || selected.Thumbprint != in:
			broken = append(broken, fmt.Sprintf("%s does not sign with %s, which is in use: its S2SCertificateName is %s", s.Machine.Host, in.Short(), s.s2sName()))
		}
	}
	for _, sp := range n.Observed.SharePoint {
		for _, i := range Issuers() {
			if has, _ := sp.Issuer(i.RegisteredName); has.Thumbprint != in {
				broken = append(broken, fmt.Sprintf("%s does not accept what is signed with %s, which is in use: its issuer for %s holds %s",
					sp.FrontEnd, in.Short(), i.Product, textOrNone(has.Thumbprint.Short())))
			}
		}
	}
	return broken
}
