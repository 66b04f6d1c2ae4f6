package pwsh

import (
	"maps"
	"slices"
	"strings"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

// storePlace are parameters that name a certificate in a store.
type storePlace struct {
	Store      model.Store
	Thumbprint farm.Thumbprint
}

type keyReader struct{ File, Sid string }

type archivedMark struct {
	Thumbprint farm.Thumbprint
	Archived   bool
}

type keyOf struct{ Certificate certificate }

func (k keyOf) certificateThumbprint() farm.Thumbprint { return farm.ThumbprintOf(k.Certificate.Der) }

// storeOperations are behind the prelude's functions on certificate stores and
// operationOn what names a certificate of theirs.
func storeOperations() map[string]operation {
	return map[string]operation{
		"Get-StoreCertificate": operationOn(func(s *model.Session, p struct{ Store model.Store }) (any, error) {
			held, err := s.Certificates(p.Store)
			return storedCertificates(held), err
		}),
		"Get-PersonalCertificate": operationWithout(func(s *model.Session) (any, error) {
			held, err := s.AllCertificates(model.My)
			return storedCertificates(held), err
		}),
		"Set-StoreArchived": operationOn(func(s *model.Session, p archivedMark) (any, error) {
			return nil, s.Archive(p.Thumbprint, p.Archived)
		}),
		"Get-TlsBindingText":          operationWithout(tlsBindingText),
		"Get-ListenerThumbprint":      operationWithout((*model.Session).Listener),
		"Get-WinRmThumbprint":         operationWithout(func(s *model.Session) (any, error) { return s.NamedCertificate(model.WinRMService) }),
		"Get-RemoteDesktopThumbprint": operationWithout(func(s *model.Session) (any, error) { return s.NamedCertificate(model.RemoteDesktop) }),
		"Get-CentralStore":            operationWithout((*model.Session).CentralStore),
		"Add-StoreCertificate": operationOn(func(s *model.Session, p struct {
			Store       model.Store
			Certificate certificate
		},
		) (any, error) {
			_, err := s.AddCertificate(p.Store, p.Certificate.toStore())
			return nil, err
		}),
		"Remove-StoreCertificate": operationOn(func(s *model.Session, p storePlace) (any, error) {
			_, err := s.RemoveFromStore(p.Store, p.Thumbprint)
			return nil, err
		}),
		"Set-StoreFriendlyName": operationOn(func(s *model.Session, p struct {
			Thumbprint   farm.Thumbprint
			FriendlyName string
		},
		) (any, error) {
			return nil, s.SetFriendlyName(model.My, p.Thumbprint, p.FriendlyName)
		}),
	}
}

// keyOperations are behind the prelude's functions on keys and files.
func keyOperations() map[string]operation {
	return map[string]operation{
		"Open-Pfx":       operationOn(openPFX),
		"Get-PrivateKey": operationOn(getPrivateKey),
		"Get-LegacySigner": operationOn(func(s *model.Session, p keyOf) (any, error) {
			return s.HasLegacyKey(p.certificateThumbprint())
		}),
		"SignData": operationOn(func(s *model.Session, p struct {
			Certificate certificate
			Path        model.SigningPath
			Data        []byte
		},
		) (any, error) {
			return s.SignData(farm.ThumbprintOf(p.Certificate.Der), model.Administrators, p.Path, p.Data)
		}),
		"Get-KeyLocation": operationOn(func(s *model.Session, p keyOf) (any, error) {
			location, err := s.KeyLocation(p.certificateThumbprint())
			return object{"$type": "KeyLocation", "Provider": location.Provider, "Container": location.Container, "File": location.File, "Since": dateTime(location.CreatedAt)}, err
		}),
		"Get-KeyReader": operationOn(func(s *model.Session, p struct{ File string }) (any, error) { return s.KeyReaders(p.File) }),
		"Add-KeyReader": operationOn(func(s *model.Session, p keyReader) (any, error) { return nil, s.AddKeyReader(p.File, p.Sid) }),
		"Remove-KeyReader": operationOn(func(s *model.Session, p keyReader) (any, error) {
			return nil, s.RemoveKeyReader(p.File, p.Sid)
		}),
		"Remove-Key": operationOn(removeKey),
		"Get-ContainerFile": operationOn(func(s *model.Session, p struct{ Container string }) (any, error) {
			return s.ContainerFile(p.Container)
		}),
		"Remove-KeyContainer": operationOn(func(s *model.Session, p struct{ Container string }) (any, error) {
			file, err := s.ContainerFile(p.Container)
			if err != nil {
				return nil, err
			}
			return nil, s.RemoveKey(file)
		}),
		"Read-FileText": operationOn(func(s *model.Session, p struct{ Path string }) (any, error) {
			content, ok, err := s.ReadFile(p.Path)
			if !ok {
				return nil, err
			}
			return string(content), err
		}),
		"Get-FileTime": operationOn(func(s *model.Session, p struct{ Path string }) (any, error) {
			at, err := s.FileTime(p.Path)
			return dateTime(at), err
		}),
	}
}

func storedCertificates(held []model.Certificate) []object {
	shown := []object{}
	for _, c := range held {
		shown = append(shown, storedCertificate(c))
	}
	return shown
}

// tlsBindingText is what netsh lists of http.sys, in the shape of its published
// output.
func tlsBindingText(s *model.Session) (any, error) {
	bindings, err := s.TLSBindings()
	lines := []string{"", "SSL Certificate bindings: ", "------------------------- ", ""}
	for _, address := range slices.Sorted(maps.Keys(bindings)) {
		lines = append(lines,
			"    IP:port                      : "+address,
			"    Certificate Hash             : "+strings.ToLower(string(bindings[address])),
			"    Application ID               : {4dc3e181-e14b-4a21-b022-59fc669b0914} ",
			"    Certificate Store Name       : My ", "")
	}
	return lines, err
}

func openPFX(s *model.Session, p struct {
	Pfx      []byte
	Password string
	Flags    string
},
) (any, error) {
	flags := model.ImportFlags{
		MachineKeySet: strings.Contains(p.Flags, "MachineKeySet"), PersistKeySet: strings.Contains(p.Flags, "PersistKeySet"),
		Exportable: strings.Contains(p.Flags, "Exportable"),
	}
	opened, err := s.OpenPFX(model.StoreAdd, p.Pfx, []byte(p.Password), flags)
	if err != nil {
		return nil, err
	}
	return storedCertificate(opened), nil
}

// getPrivateKey reports whether a certificate has an RSA key; one that cannot be
// opened is an error.
func getPrivateKey(s *model.Session, p keyOf) (any, error) {
	if !p.Certificate.HasPrivateKey {
		return false, nil
	}
	return s.HasRSAKey(p.certificateThumbprint())
}

func removeKey(s *model.Session, p keyOf) (any, error) {
	return nil, s.RemoveKey(p.Certificate.KeyFile)
}
