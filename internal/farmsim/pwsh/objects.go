package pwsh

import (
	"encoding/json"
	"time"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

// object is an object of a product: its type, under "$type", and properties.
type object = map[string]any

// typed begins an object.
func typed(name string, properties object) object {
	properties["$type"] = name
	return properties
}

// moment is a time for PowerShell, which counts in units of 100 ns; none for
// zero.
func moment(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return typed("DateTime", object{"Value": t.UTC().Format("2006-01-02T15:04:05.0000000Z")})
}

// publicCertificate is a certificate as products show it.
func publicCertificate(der []byte) any {
	if len(der) == 0 {
		return nil
	}
	return storedCertificate(model.Certificate{DER: der})
}

// storedCertificate is a certificate as its store shows it.
func storedCertificate(c model.Certificate) object {
	file := ""
	if c.Key != nil {
		file = c.Key.File
	}
	return typed("X509Certificate2", object{
		"Der": c.DER, "FriendlyName": c.FriendlyName, "HasPrivateKey": c.Key != nil, "KeyFile": file,
		"Archived": c.Archived,
	})
}

// certificate is a certificate among the parameters.
type certificate struct {
	Type          string `json:"$type"`
	Der           []byte
	FriendlyName  string
	HasPrivateKey bool
	KeyFile       string
}

// stored is the certificate for a store.
func (c certificate) stored() model.Certificate {
	to := model.Certificate{DER: c.Der, FriendlyName: c.FriendlyName}
	if c.KeyFile != "" {
		to.Key = &model.Key{File: c.KeyFile}
	}
	return to
}

// argument is what was given to a parameter whose type is the product's: text,
// or an object of a type.
type argument struct {
	text     string
	isText   bool
	kind     string
	property map[string]string
	raw      json.RawMessage
}

func (a *argument) UnmarshalJSON(raw []byte) error {
	a.raw = append(json.RawMessage{}, raw...)
	if a.isText = json.Unmarshal(raw, &a.text) == nil; a.isText {
		return nil
	}
	var properties map[string]any
	if json.Unmarshal(raw, &properties) != nil {
		return nil // Something that no parameter of a product takes.
	}
	a.property = map[string]string{}
	for name, value := range properties {
		if text, ok := value.(string); ok {
			a.property[name] = text
		}
	}
	a.kind = a.property["$type"]
	return nil
}

// pipeBind is what a product's parameter accepts: objects of a type, known by
// one of their properties, and perhaps text that says the same.
type pipeBind struct {
	kind, property string
	text           bool
}

// The pipe binds, and what is known that they take. Nothing shows a web pipe
// bind taking an SPSite.
var (
	issuerBind    = pipeBind{kind: issuerType, property: "Name", text: true}
	authorityBind = pipeBind{kind: authorityType, property: "Name", text: true}
	siteBind      = pipeBind{kind: siteType, property: "Url", text: true}
	webBind       = pipeBind{kind: webType, property: "Url", text: true}
	principalBind = pipeBind{kind: principalType, property: "NameIdentifier"}
	wordBind      = pipeBind{text: true}
)

// read returns what an argument names, or the error of a parameter that does
// not bind.
func (b pipeBind) read(cmdlet, parameter string, a argument) (string, error) {
	switch {
	case a.isText && b.text:
		return a.text, nil
	case !a.isText && b.kind != "" && a.kind == b.kind:
		return a.property[b.property], nil
	}
	return "", model.CannotBind(cmdlet, parameter)
}

// certificateIn returns a certificate that was given to a product's cmdlet, as
// an object.
func certificateIn(cmdlet string, a argument) (certificate, error) {
	var c certificate
	if a.kind != "X509Certificate2" {
		return c, model.CannotBind(cmdlet, "Certificate")
	}
	return c, decode(a.raw, &c)
}
