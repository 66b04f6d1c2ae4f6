package scripts

import (
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// findPersonal is the prelude's Find-PersonalCertificate.
func findPersonal(s *model.Session, thumbprint string) (model.Certificate, bool, error) {
	found, err := s.AllCertificates(model.My)
	i := slices.IndexFunc(found, func(c model.Certificate) bool { return string(c.Thumbprint) == thumbprint })
	if err != nil || i < 0 {
		return model.Certificate{}, false, err
	}
	return found[i], true, nil
}

// findUse is the prelude's Find-CertificateUse.
func findUse(s *model.Session, thumbprint, friendlyName string) ([]string, error) {
	uses := []string{}
	joined := false
	if friendlyName != "" {
		var err error
		if _, joined, err = officeMachine(s); err != nil {
			return nil, err
		}
	}
	if joined {
		settings, err := s.Office().GetOfficeWebAppsFarm()
		if err != nil {
			return nil, err
		}
		if strings.EqualFold(settings.S2SCertificateName, friendlyName) {
			uses = append(uses, "S2SCertificateName")
		}
		if strings.EqualFold(settings.CertificateName, friendlyName) {
			uses = append(uses, "CertificateName")
		}
	}
	bindings, err := s.TLSBindings()
	if err != nil {
		return nil, err
	}
	for _, address := range slices.Sorted(maps.Keys(bindings)) {
		if string(bindings[address]) == thumbprint {
			uses = append(uses, "http.sys "+address)
		}
	}
	listener, err := s.Listener()
	if err != nil {
		return nil, err
	}
	if string(listener) == thumbprint {
		uses = append(uses, "WinRM listener")
	}
	for _, use := range []model.CertificateUse{model.WinRMService, model.RemoteDesktop} {
		named, err := s.NamedCertificate(use)
		if err != nil {
			return nil, err
		}
		if string(named) == thumbprint {
			uses = append(uses, string(use))
		}
	}
	return uses, nil
}

// assertUnused is the prelude's Assert-CertificateUnused.
func assertUnused(s *model.Session, thumbprint string) error {
	return assertUnusedExcept(s, thumbprint, "")
}

// assertReplaceable asserts that of a server only its S2S setting names these
// certificates.
func assertReplaceable(s *model.Session, thumbprints []string) error {
	for _, thumbprint := range thumbprints {
		if err := assertUnusedExcept(s, thumbprint, "S2SCertificateName"); err != nil {
			return err
		}
	}
	return nil
}

func assertUnusedExcept(s *model.Session, thumbprint, except string) error {
	c, _, err := findPersonal(s, thumbprint)
	if err != nil {
		return err
	}
	uses, err := findUse(s, thumbprint, c.FriendlyName)
	uses = slices.DeleteFunc(uses, func(use string) bool { return use == except })
	if err == nil && len(uses) > 0 {
		err = stopScript("InUse", "certificate %s is still named by: %s", thumbprint, strings.Join(uses, ", "))
	}
	return err
}

func getCertificateUse(s *model.Session, p powershell.GetCertificateUse, _ [][]byte) (r powershell.CertificateUse, err error) {
	if err := errorsFirst(assertElevated, importOffice)(s); err != nil {
		return r, err
	}
	c, ok, err := findPersonal(s, p.Thumbprint)
	if err != nil {
		return r, err
	}
	r.Present, r.Archived, r.Wildcard = ok, c.Archived, isWildcard(c.DER)
	if r.Uses, err = findUse(s, p.Thumbprint, c.FriendlyName); err != nil {
		return r, err
	}
	folder, err := s.CentralStore()
	r.Notes = []string{}
	if folder != "" {
		r.Notes = append(r.Notes, fmt.Sprintf("IIS's central certificate store is in use (%s), and its files are protected by passwords", folder))
	}
	return r, err
}

// isWildcard is the prelude's Test-Wildcard.
func isWildcard(der []byte) bool {
	c, err := x509.ParseCertificate(der)
	isWild := func(name string) bool { return strings.Contains(name, "*.") }
	return err == nil && (isWild(c.Subject.String()) || slices.ContainsFunc(c.DNSNames, isWild))
}

func setS2SCertificateArchived(s *model.Session, p powershell.SetS2SCertificateArchived, _ [][]byte) (r powershell.SetArchivedResult, err error) {
	if err := errorsFirst(assertElevated, importOffice)(s); err != nil {
		return r, err
	}
	c, ok, err := findPersonal(s, p.Thumbprint)
	if err != nil {
		return r, err
	}
	if ok && p.Archived && !c.Archived {
		if err := assertUnused(s, p.Thumbprint); err != nil {
			return r, err
		}
	}
	var marked []string
	err = markArchived(s, []string{p.Thumbprint}, p.Archived, &marked)
	r.Changed = len(marked) > 0
	return r, err
}

// markArchived is the prelude's Update-StoreArchived for several certificates. It
// adds those that it changed to marked, unless that is nil.
func markArchived(s *model.Session, thumbprints []string, archived bool, marked *[]string) error {
	for _, thumbprint := range slices.Clone(thumbprints) {
		c, ok, err := findPersonal(s, thumbprint)
		if err != nil {
			return err
		}
		if !ok || c.Archived == archived {
			continue
		}
		if err := s.Archive(c.Thumbprint, archived); err != nil {
			return err
		}
		if marked != nil {
			*marked = append(*marked, thumbprint)
		}
	}
	return nil
}

func removeS2SCertificate(s *model.Session, p powershell.RemoveS2SCertificate, _ [][]byte) (r powershell.RemoveResult, err error) {
	r.Removed = []string{}
	if err := errorsFirst(assertElevated, importOffice)(s); err != nil {
		return r, err
	}
	doomed := map[model.Store][]string{model.CA: p.Intermediates}
	if p.Root {
		doomed[model.Root] = []string{p.Thumbprint}
	}
	if p.Personal {
		doomed[model.My] = []string{p.Thumbprint}
	}
	present, err := whatIsThere(s, doomed)
	if err != nil {
		return r, err
	}
	if len(present) > 0 {
		if err := assertUnused(s, p.Thumbprint); err != nil {
			return r, err
		}
	}
	for _, store := range []model.Store{model.Root, model.CA, model.My} {
		for _, thumbprint := range present[store] {
			if err := removeFrom(s, store, thumbprint); err != nil {
				return r, err
			}
		}
		if len(present[store]) > 0 {
			r.Removed = append(r.Removed, string(store))
		}
	}
	if p.Personal {
		if r.OrphanedKey, err = removeOrphanedKey(s, p.Thumbprint); err != nil {
			return r, err
		}
	}
	r.Changed = len(r.Removed) > 0 || r.OrphanedKey
	return r, nil
}

// findOrphanedKey is the prelude's Test-OrphanedKey: the file of the key, empty without
// one.
func findOrphanedKey(s *model.Session, thumbprint string) (file string, err error) {
	if file, err = s.ContainerFile(farm.KeyContainer(farm.Thumbprint(thumbprint))); err != nil {
		return "", err
	}
	all, err := s.AllCertificates(model.My)
	if err != nil || isKeyFileInUse(all, file, "") {
		return "", err
	}
	return file, nil
}

// removeOrphanedKey is the prelude's Remove-OrphanedKey.
func removeOrphanedKey(s *model.Session, thumbprint string) (removed bool, err error) {
	file, err := findOrphanedKey(s, thumbprint)
	if err != nil || file == "" {
		return false, err
	}
	if err := s.RemoveKey(file); err != nil {
		return false, err
	}
	if file, err = findOrphanedKey(s, thumbprint); err == nil && file != "" {
		err = stopScript("SettingNotKept", "key '%s', which no certificate has, is still there after it was deleted", farm.KeyContainer(farm.Thumbprint(thumbprint)))
	}
	return true, err
}

// isKeyFileInUse is the prelude's Test-KeyFileInUse.
func isKeyFileInUse(all []model.Certificate, file string, except farm.Thumbprint) bool {
	return slices.ContainsFunc(all, func(c model.Certificate) bool {
		return c.Thumbprint != except && c.Key != nil && c.Key.File == file
	})
}

// whatIsThere are those of the named certificates that the stores hold.
func whatIsThere(s *model.Session, named map[model.Store][]string) (map[model.Store][]farm.Thumbprint, error) {
	present := map[model.Store][]farm.Thumbprint{}
	for store, thumbprints := range named {
		found, err := s.AllCertificates(store)
		if err != nil {
			return nil, err
		}
		for _, c := range found {
			if slices.Contains(thumbprints, string(c.Thumbprint)) {
				present[store] = append(present[store], c.Thumbprint)
			}
		}
	}
	return present, nil
}

// findKeyFile is the prelude's Find-KeyFile: empty when the key is gone.
func findKeyFile(s *model.Session, thumbprint farm.Thumbprint) (string, error) {
	location, err := keyLocation(s, thumbprint)
	var refused *model.Error
	if errors.As(err, &refused) && refused.HResult == model.BadKeyset {
		return "", nil
	}
	return location.File, err
}

// removeFrom removes a certificate, from Personal after its key, unless that
// is gone already or another certificate shares it.
func removeFrom(s *model.Session, store model.Store, thumbprint farm.Thumbprint) error {
	if store == model.My {
		if err := removeOwnKey(s, thumbprint); err != nil {
			return err
		}
	}
	_, err := s.RemoveFromStore(store, thumbprint)
	return err
}

func removeOwnKey(s *model.Session, thumbprint farm.Thumbprint) error {
	all, err := s.AllCertificates(model.My)
	if err != nil {
		return err
	}
	own := slices.IndexFunc(all, func(c model.Certificate) bool { return c.Thumbprint == thumbprint })
	if own < 0 || all[own].Key == nil {
		return nil
	}
	file, err := findKeyFile(s, thumbprint)
	if err != nil || file == "" {
		return err
	}
	if isKeyFileInUse(all, file, thumbprint) {
		return nil
	}
	return s.RemoveKey(file)
}

func revokeS2SKey(s *model.Session, p powershell.RevokeS2SKey, _ [][]byte) (r powershell.RevokeResult, err error) {
	if err := assertElevated(s); err != nil {
		return r, err
	}
	c, ok, err := findPersonal(s, p.Thumbprint)
	if err != nil || !ok || c.Key == nil {
		return r, err
	}
	file, err := findKeyFile(s, c.Thumbprint)
	if err != nil || file == "" || !slices.Contains(c.Key.Readers, p.Sid) {
		return r, err
	}
	r.Changed = true
	return r, s.RemoveKeyReader(file, p.Sid)
}
