package activities

import (
	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// identify returns what the certificate that a farm works towards and the one in use are
// recognised by, the former first. Windows shows less of a certificate than SharePoint
// does, whose issuers hold it whole.
func identify(target farm.Certificate, observed farm.Observed, current farm.StoreCertificate) (all []farm.CertificateIdentity) {
	if target.Thumbprint != "" {
		all = append(all, identifyWhole(target.DER, farm.IdentityOf(farm.StoreCertificate{
			Thumbprint: target.Thumbprint, Subject: target.Subject, NotAfter: target.NotAfter,
		})))
	}
	if current.Thumbprint != "" && current.Thumbprint != target.Thumbprint {
		all = append(all, identifyWhole(observed.IssuerCertificate(current.Thumbprint), farm.IdentityOf(current)))
	}
	return all
}

// identifyWhole returns the identity of a DER certificate, or what is known without it. A
// server may show anything.
func identifyWhole(der []byte, known farm.CertificateIdentity) farm.CertificateIdentity {
	whole, err := cert.Identify(der)
	if err != nil || whole.Thumbprint != known.Thumbprint {
		return known
	}
	return whole
}
