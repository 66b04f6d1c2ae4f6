package scripts

import (
	"encoding/base64"
	"errors"
	"slices"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

func importS2SCertificate(s *model.Session, p powershell.ImportS2SCertificate, secrets [][]byte) (r powershell.ImportResult, err error) {
	r.Added = []string{}
	if err := assertElevated(s); err != nil {
		return r, err
	}
	present, ok, err := findPersonal(s, p.Thumbprint)
	if err != nil {
		return r, err
	}
	if ok && present.FriendlyName != "" && present.FriendlyName != p.FriendlyName {
		return r, stopScript("NameDiffers", "certificate %s is already there as '%s', not '%s'", p.Thumbprint, present.FriendlyName, p.FriendlyName)
	}
	if present.FriendlyName == "" {
		if err := assertNameFree(s, p.FriendlyName, p.Thumbprint); err != nil {
			return r, err
		}
	}
	if present.Key == nil {
		if _, err := removeOrphanedKey(s, p.Thumbprint); err != nil {
			r.KeptKey = err.Error()
		}
		if r.Container, err = importKey(s, p, secrets); err != nil {
			return r, err
		}
		r.Added = append(r.Added, string(model.My))
	}
	if r.Changed, err = nameOwn(s, p); err != nil {
		return r, err
	}
	if err := addPublic(s, p, &r); err != nil {
		return r, err
	}
	r.Changed = r.Changed || len(r.Added) > 0
	stored, err := ownCertificate(s, p.Thumbprint)
	r.Certificate = certificateRecord(s, stored, true)
	return r, err
}

// importKey opens the PFX, keeps the certificate in Personal, and removes it
// again if its key is not where it should be. It returns the name of the key's container.
func importKey(s *model.Session, p powershell.ImportS2SCertificate, secrets [][]byte) (container string, err error) {
	if len(secrets) != 2 {
		return "", stopScript("PfxRefused", "Windows cannot open the PFX: %d secrets came instead of two", len(secrets))
	}
	flags := model.ImportFlags{MachineKeySet: true, PersistKeySet: true, Exportable: p.Exportable}
	imported, err := s.OpenPFX(model.StoreAdd, secrets[0], secrets[1], flags)
	var refused *model.Error
	if errors.As(err, &refused) && refused.Exception == model.CryptographicException {
		return "", stopScript("PfxRefused", "Windows cannot open the PFX: %s", refused.Message)
	}
	if err != nil {
		return "", err
	}
	if string(imported.Thumbprint) != p.Thumbprint {
		err = stopScript("WrongCertificate", "the PFX holds certificate %s, not %s", imported.Thumbprint, p.Thumbprint)
		return "", errors.Join(err, s.RemoveKey(imported.Key.File))
	}
	if err = keepKey(s, p, imported); err != nil {
		_, removal := s.RemoveFromStore(model.My, imported.Thumbprint)
		return "", errors.Join(err, removal, s.RemoveKey(imported.Key.File))
	}
	return imported.Key.Container, nil
}

func keepKey(s *model.Session, p powershell.ImportS2SCertificate, imported model.Certificate) error {
	imported.Archived = p.Archived
	if _, err := s.AddCertificate(model.My, imported); err != nil {
		return err
	}
	location, err := keyLocation(s, imported.Thumbprint)
	if err == nil && location.Provider != p.Provider {
		err = stopScript("ProviderNotApplied", "the key went to '%s' instead of '%s'", location.Provider, p.Provider)
	}
	return err
}

func nameOwn(s *model.Session, p powershell.ImportS2SCertificate) (changed bool, err error) {
	stored, err := ownCertificate(s, p.Thumbprint)
	if err != nil || stored.FriendlyName == p.FriendlyName {
		return false, err
	}
	return true, s.SetFriendlyName(model.My, farm.Thumbprint(p.Thumbprint), p.FriendlyName)
}

// addPublic adds intermediates to CA, and a self-signed certificate to Root.
func addPublic(s *model.Session, p powershell.ImportS2SCertificate, r *powershell.ImportResult) error {
	for _, encoded := range p.Intermediates {
		der, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return &model.Error{
				ID: "FormatException", Message: err.Error(), Category: "NotSpecified",
				Exception: "System.FormatException", HResult: model.InvalidOperation,
			}
		}
		added, err := s.AddToStore(model.CA, der)
		if err != nil {
			return err
		}
		if added && !slices.Contains(r.Added, string(model.CA)) {
			r.Added = append(r.Added, string(model.CA))
		}
	}
	if !p.SelfSigned {
		return nil
	}
	own, err := ownCertificate(s, p.Thumbprint)
	if err != nil {
		return err
	}
	added, err := s.AddToStore(model.Root, own.DER)
	if added {
		r.Added = append(r.Added, string(model.Root))
	}
	return err
}
