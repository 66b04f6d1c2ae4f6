package farm

// Issuer is one of the two trusted security token issuers that SharePoint must
// have. In a registered name, what follows the @ is a constant of the procedure,
// not the realm of the farm.
//
// Source: Microsoft, "Configure server-to-server authentication between
// Office Online Server and SharePoint Server 2016".
type Issuer struct {
	// Product is the product that the issuer stands for.
	Product string
	// RegisteredName is the registered issuer name, in lower case.
	RegisteredName string
}

// Issuers lists the two issuers in the order of the procedure.
func Issuers() []Issuer {
	return []Issuer{
		{Product: "SharePoint Server", RegisteredName: "67e3df25-268a-4324-a550-0de1c7f97287@bd2372e4-0a11-495c-9541-8377c6def195"},
		{Product: "SQL Server", RegisteredName: "67e3df25-268a-4324-a550-0de1c7f97287@ffab2d74-c6ae-4375-819a-8555d49b699a"},
	}
}

// IssuerByRegisteredName finds one of [Issuers]; name must be in lower case.
func IssuerByRegisteredName(name string) (Issuer, bool) {
	return findFirst(Issuers(), func(i Issuer) bool { return i.RegisteredName == name })
}

// The access that the procedure grants and checks for.
const (
	// NetworkService is the security identifier of NETWORK SERVICE, the account
	// that Office Online Server runs under. The account's name is localized, and
	// LookupAccountName does not recognize it; the identifier always works.
	NetworkService = "S-1-5-20"
	// KeyProvider is the provider that keys are imported into: a cryptographic
	// service provider that can sign with SHA-256, which S2S tokens (RS256) need.
	KeyProvider = "Microsoft Enhanced RSA and AES Cryptographic Provider"
	// FullControl is the app permission right of the procedure.
	FullControl = "FullControl"
)

// KeyContainer is the name that the key of a certificate is to have on a server, so that
// the key of an import that was cut off is found again.
func KeyContainer(certificate Thumbprint) string { return "farmtrust-" + string(certificate) }
