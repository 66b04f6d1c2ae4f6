package pwsh

import (
	"fmt"
	"strings"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

// identity is the parameter that most cmdlets have.
type identity struct{ Identity *argument }

// selected returns the items that an identity names: all without one. A name
// that nothing has is the error of the pipe bind.
func (i identity) selected(s *model.Session, cmdlet string, b pipeBind, items []object) (any, error) {
	if i.Identity == nil {
		return items, nil
	}
	name, err := b.read(cmdlet, "Identity", *i.Identity)
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		if strings.EqualFold(fmt.Sprint(item["Name"]), name) {
			return []object{item}, nil
		}
	}
	return nil, s.SharePoint().NoObject(cmdlet)
}

func getTrustedRootAuthority(s *model.Session, p identity) (any, error) {
	found, err := s.SharePoint().GetTrustedRootAuthority()
	if err != nil {
		return nil, err
	}
	shown := []object{}
	for _, a := range found {
		shown = append(shown, typed(authorityType, object{"Name": a.Name, "Certificate": publicCertificate(a.Certificate)}))
	}
	return p.selected(s, "GetTrustedRootAuthority", authorityBind, shown)
}

func newTrustedRootAuthority(s *model.Session, p struct {
	Name        string
	Certificate argument
},
) (any, error) {
	c, err := certificateIn("NewTrustedRootAuthority", p.Certificate)
	if err != nil {
		return nil, err
	}
	if c.HasPrivateKey {
		c.Der = nil // What the product takes is one certificate without a key.
	}
	return nil, s.SharePoint().NewTrustedRootAuthority(p.Name, c.Der, true)
}

func removeTrustedRootAuthority(s *model.Session, p struct{ Identity argument }) (any, error) {
	name, err := authorityBind.read("RemoveTrustedRootAuthority", "Identity", p.Identity)
	if err != nil {
		return nil, err
	}
	return nil, s.SharePoint().RemoveTrustedRootAuthority(name, true)
}

func getTrustedSecurityTokenIssuer(s *model.Session, p identity) (any, error) {
	found, err := s.SharePoint().GetTrustedSecurityTokenIssuer()
	if err != nil {
		return nil, err
	}
	shown := []object{}
	for _, i := range found {
		shown = append(shown, issuerObject(i))
	}
	return p.selected(s, "GetTrustedSecurityTokenIssuer", issuerBind, shown)
}

func issuerObject(i model.TokenIssuer) object {
	return typed(issuerType, object{
		"Name": i.Name, "RegisteredIssuerName": i.RegisteredIssuerName, "NameId": i.RegisteredIssuerName,
		"Description": i.Description, "IsSelfIssuer": !i.TrustBroker, "SigningCertificate": publicCertificate(i.Certificate),
	})
}

// issuerParameters are what New- and Set-SPTrustedSecurityTokenIssuer share.
type issuerParameters struct {
	Certificate                       *argument
	RegisteredIssuerName, Description *string
	IsTrustBroker                     bool
}

func (p issuerParameters) bind(cmdlet, name string) (model.IssuerParameters, error) {
	bound := model.IssuerParameters{
		Name: name, RegisteredIssuerName: p.RegisteredIssuerName, Description: p.Description,
		TrustBroker: p.IsTrustBroker, Confirmed: true,
	}
	if p.Certificate == nil {
		return bound, nil
	}
	c, err := certificateIn(cmdlet, *p.Certificate)
	bound.Certificate = c.Der
	return bound, err
}

func newTrustedSecurityTokenIssuer(s *model.Session, p struct {
	issuerParameters

	Name string
},
) (any, error) {
	bound, err := p.bind("NewTrustedSecurityTokenIssuer", p.Name)
	if err != nil {
		return nil, err
	}
	return nil, s.SharePoint().NewTrustedSecurityTokenIssuer(bound)
}

func setTrustedSecurityTokenIssuer(s *model.Session, p struct {
	issuerParameters

	Identity argument
},
) (any, error) {
	const cmdlet = "SetTrustedSecurityTokenIssuer"
	name, err := issuerBind.read(cmdlet, "Identity", p.Identity)
	if err != nil {
		return nil, err
	}
	bound, err := p.bind(cmdlet, name)
	if err != nil {
		return nil, err
	}
	return nil, s.SharePoint().SetTrustedSecurityTokenIssuer(bound)
}

func removeTrustedSecurityTokenIssuer(s *model.Session, p struct{ Identity argument }) (any, error) {
	name, err := issuerBind.read("RemoveTrustedSecurityTokenIssuer", "Identity", p.Identity)
	if err != nil {
		return nil, err
	}
	return nil, s.SharePoint().RemoveTrustedSecurityTokenIssuer(name, true)
}
