package farm

// Issuer is one of the two trusted security token issuers that SharePoint
// must know. The right-hand sides are constants of the procedure, not the
// realm of the farm.
//
// Source: Microsoft, "Configure server-to-server authentication between
// Office Online Server and SharePoint Server 2016".
type Issuer struct {
	// Product is what the procedure calls it.
	Product string
	// RegisteredName is the registered issuer name, lower case.
	RegisteredName string
}

// Issuers lists the two issuers in the order of the procedure.
func Issuers() []Issuer {
	return []Issuer{
		{Product: "SharePoint Server", RegisteredName: "67e3df25-268a-4324-a550-0de1c7f97287@bd2372e4-0a11-495c-9541-8377c6def195"},
		{Product: "SQL Server", RegisteredName: "67e3df25-268a-4324-a550-0de1c7f97287@ffab2d74-c6ae-4375-819a-8555d49b699a"},
	}
}

// IssuerByRegisteredName finds one of [Issuers].
func IssuerByRegisteredName(name string) (Issuer, bool) {
	for _, i := range Issuers() {
		if i.RegisteredName == name {
			return i, true
		}
	}
	return Issuer{}, false
}

// The access that the procedure grants and checks for.
const (
	// NetworkService is the security identifier of NETWORK SERVICE, the
	// account Office Online Server runs as. Its name is localized and not
	// recognised by LookupAccountName; the identifier always works.
	NetworkService = "S-1-5-20"
	// KeyProvider is the provider that keys are imported to: a CSP that can
	// sign with SHA-256, which S2S tokens (RS256) need.
	KeyProvider = "Microsoft Enhanced RSA and AES Cryptographic Provider"
	// FullControl is the app permission right of the procedure.
	FullControl = "FullControl"
)
