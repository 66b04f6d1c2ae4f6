package scripts

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

func getOfficeServer(s *model.Session, p powershell.GetOfficeServer, _ [][]byte) (r powershell.OfficeServer, err error) {
	if d, err := s.Describe(); err != nil || !d.Elevated {
		r.Machine, err = describe(s)
		return r, err
	}
	if err := importOffice(s); err != nil {
		return r, err
	}
	r.Machines = []string{}
	r.Discovery.Problem = "NotJoined"
	if r.Service, err = serviceRecord(s, model.WACSM); err != nil {
		return r, err
	}
	if r.Service.Running {
		machine, joined, err := officeMachine(s)
		if err != nil {
			return r, err
		}
		if joined {
			if err := describeFarm(s, machine, &r); err != nil {
				return r, err
			}
		}
	}
	if err := describeStores(s, p, &r); err != nil {
		return r, err
	}
	if err := describeServices(s, &r); err != nil {
		return r, err
	}
	settings, err := s.FileTime(model.SettingsFile)
	if err != nil {
		return r, err
	}
	r.SettingsSince = moment(settings)
	r.Machine, err = describe(s)
	return r, err
}

// describeServices describes IIS, why a service does not run, and the note of what
// was loaded.
func describeServices(s *model.Session, r *powershell.OfficeServer) (err error) {
	if r.WebServer, err = serviceRecord(s, model.W3SVC); err != nil {
		return err
	}
	if r.Activation, err = serviceRecord(s, model.WAS); err != nil {
		return err
	}
	if r.LastErrors, err = serviceErrors(s, []powershell.Discovery{r.Discovery}, r.Service, r.WebServer, r.Activation); err != nil {
		return err
	}
	if r.Loaded, err = loadedNote(s); err != nil {
		return err
	}
	r.WorkersSince, err = workersSince(s)
	return err
}

// importOffice is the prelude's Import-OfficeModule.
func importOffice(s *model.Session) error {
	installed, err := s.OfficeInstalled()
	if err == nil && !installed {
		err = stopScript("NotOffice", "the module OfficeWebApps is not installed on this server")
	}
	return err
}

// officeMachine is the prelude's Get-OfficeMachine.
func officeMachine(s *model.Session) (m model.OfficeMachine, joined bool, err error) {
	m, err = s.Office().GetOfficeWebAppsMachine()
	var refused *model.Error
	if errors.As(err, &refused) && refused.Exception == model.FileNotFoundException {
		return m, false, nil
	}
	return m, err == nil, err
}

func describeFarm(s *model.Session, machine model.OfficeMachine, r *powershell.OfficeServer) error {
	settings, err := s.Office().GetOfficeWebAppsFarm()
	if err != nil {
		return err
	}
	r.Joined, r.Master, r.Health = true, machine.MasterMachineName, machine.HealthStatus
	r.S2SCertificateName, r.CertificateName = settings.S2SCertificateName, settings.CertificateName
	r.AllowOutboundHTTP = settings.AllowOutboundHTTP
	r.AllowHTTPSecureStoreConnections = settings.AllowHTTPSecureStoreConnections
	d, err := s.Describe()
	if err != nil {
		return err
	}
	if farm.SameMachine(machine.MasterMachineName, d.Name) {
		r.Machines = settings.Machines
	}
	address, err := discoveryURL(s, settings)
	if err != nil {
		return err
	}
	r.Discovery, err = ownResponse(s, address)
	return err
}

func describeStores(s *model.Session, p powershell.GetOfficeServer, r *powershell.OfficeServer) error {
	r.Certificates, r.Roots, r.Intermediates = []powershell.Certificate{}, []powershell.Certificate{}, []string{}
	names := []string{p.FriendlyName, r.S2SCertificateName, r.CertificateName}
	personal, err := s.AllCertificates(model.My)
	if err != nil {
		return err
	}
	selectsNothing := r.Joined && !slices.ContainsFunc(personal, func(c model.Certificate) bool {
		return !c.Archived && c.FriendlyName != "" && strings.EqualFold(c.FriendlyName, r.S2SCertificateName)
	})
	for _, c := range personal {
		target := string(c.Thumbprint) == p.Thumbprint
		shares := !target && p.Subject != "" && strings.EqualFold(c.Subject, p.Subject)
		named := c.FriendlyName != "" && containsFold(names, c.FriendlyName)
		signs := target || string(c.Thumbprint) == p.Previous || named && strings.EqualFold(c.FriendlyName, r.S2SCertificateName)
		choice := selectsNothing && c.FriendlyName != "" && !c.Archived
		if !signs && !shares && !named && !choice {
			continue
		}
		record := certificateRecord(s, c, signs)
		if shares {
			if record.Uses, err = findUse(s, string(c.Thumbprint), ""); err != nil {
				return err
			}
		}
		r.Certificates = append(r.Certificates, record)
	}
	orphan, err := findOrphanedKey(s, p.Thumbprint)
	if err != nil {
		return err
	}
	r.OrphanedKey = orphan != ""
	roots, err := s.Certificates(model.Root)
	if err != nil {
		return err
	}
	for _, c := range roots {
		named := p.FriendlyName != "" && strings.EqualFold(c.FriendlyName, p.FriendlyName)
		if named || string(c.Thumbprint) == p.Thumbprint || slices.Contains(p.Chain, string(c.Thumbprint)) {
			r.Roots = append(r.Roots, certificateRecord(s, c, false))
		}
	}
	authorities, err := s.Certificates(model.CA)
	for _, c := range authorities {
		if slices.Contains(p.Chain, string(c.Thumbprint)) {
			r.Intermediates = append(r.Intermediates, string(c.Thumbprint))
		}
	}
	return err
}

// certificateRecord is the prelude's ConvertTo-CertificateRecord.
func certificateRecord(s *model.Session, c model.Certificate, sign bool) powershell.Certificate {
	shown := powershell.Certificate{
		Thumbprint: string(c.Thumbprint), FriendlyName: c.FriendlyName, Subject: c.Subject,
		NotBefore: c.NotBefore, NotAfter: c.NotAfter, Archived: c.Archived, Wildcard: isWildcard(c.DER), KeyReaders: []string{}, Uses: []string{},
	}
	shown.HasKey = c.Key != nil
	// A key that cannot be opened is shown without provider and readers.
	if location, err := keyLocation(s, c.Thumbprint); shown.HasKey && err == nil {
		shown.Provider, shown.KeyReaders, shown.KeySince = location.Provider, location.Readers, moment(location.CreatedAt)
		shown.KeySigns = sign && s.Sign(c.Thumbprint, model.Administrators, model.Legacy) == nil
		shown.ModernKeySigns = sign && s.Sign(c.Thumbprint, model.Administrators, model.Modern) == nil
	}
	return shown
}

// keyLocation is the prelude's Get-KeyLocation.
func keyLocation(s *model.Session, thumbprint farm.Thumbprint) (model.Key, error) {
	location, err := s.KeyLocation(thumbprint)
	if err == nil && location.Provider == "" {
		err = stopScript("KeyMissing", "certificate %s has no RSA key that this account can open", thumbprint)
	}
	return location, err
}

// ownCertificate is the prelude's Get-OwnCertificate.
func ownCertificate(s *model.Session, thumbprint string) (model.Certificate, error) {
	c, ok, err := findPersonal(s, thumbprint)
	if err == nil && !ok {
		err = stopScript("CertificateNotFound", "certificate %s is not in the Personal store of the machine", thumbprint)
	}
	return c, err
}

// assertNameFree is the prelude's Assert-FriendlyNameFree.
func assertNameFree(s *model.Session, friendlyName, thumbprint string) error {
	for _, store := range []model.Store{model.My, model.Root} {
		found, err := s.Certificates(store)
		if err != nil {
			return err
		}
		for _, c := range found {
			if strings.EqualFold(c.FriendlyName, friendlyName) && string(c.Thumbprint) != thumbprint {
				return stopScript("AmbiguousFriendlyName", "certificate %s in store %s also has the friendly name '%s'",
					c.Thumbprint, store, friendlyName)
			}
		}
	}
	return nil
}

func grantS2SKey(s *model.Session, p powershell.GrantS2SKey, _ [][]byte) (r powershell.GrantResult, err error) {
	if err := assertElevated(s); err != nil {
		return r, err
	}
	c, err := ownCertificate(s, p.Thumbprint)
	if err != nil {
		return r, err
	}
	if c.Key == nil {
		return r, stopScript("KeyMissing", "certificate %s is in the Personal store without its key", p.Thumbprint)
	}
	location, err := keyLocation(s, c.Thumbprint)
	if err != nil {
		return r, err
	}
	r.Provider, r.KeyFile = location.Provider, location.File
	if r.Changed = !slices.Contains(location.Readers, p.Sid); r.Changed {
		if err := s.AddKeyReader(location.File, p.Sid); err != nil {
			return r, err
		}
	}
	r.SignedAs, r.SignedBy = p.Sid, string(model.Legacy)
	if p.ProveAs == string(farm.AsAdministrator) {
		r.SignedAs = s.Account()
		return r, assertSigns(s, c, model.Administrators,
			stopScript("KeyModernOnly", "the key of certificate %s signs by CNG alone", p.Thumbprint),
			stopScript("KeyDoesNotSign", "this account cannot sign with the key of certificate %s", p.Thumbprint))
	}
	if err := removeOldProofs(s); err != nil {
		return r, err
	}
	return r, assertSigns(s, c, p.Sid,
		stopScript("KeyModernOnly", "%s signs with the key of certificate %s by CNG alone (task result 94)", p.Sid, p.Thumbprint),
		stopScript("KeyDoesNotSign", "%s cannot sign with the key of certificate %s (task result 92)", p.Sid, p.Thumbprint))
}

// oldProof matches the name of the task of a proof.
var oldProof = regexp.MustCompile(`^farmtrust-[0-9a-f]{32}$`)

// removeOldProofs is the prelude's Remove-OldProof.
func removeOldProofs(s *model.Session) error {
	found, err := s.Tasks("farmtrust-*")
	for _, name := range found {
		if oldProof.MatchString(name) {
			err = errors.Join(err, s.UnregisterTask(name))
		}
	}
	return err
}

// assertSigns returns an error unless an account signs by the legacy path: modernOnly
// when it signs by the other one, else cannot.
func assertSigns(s *model.Session, c model.Certificate, sid string, modernOnly, cannot error) error {
	err := s.Sign(c.Thumbprint, sid, model.Legacy)
	if _, refused := errors.AsType[*model.Error](err); !refused {
		return err
	}
	if s.Sign(c.Thumbprint, sid, model.Modern) == nil {
		return modernOnly
	}
	return cannot
}

func exportS2SCertificate(s *model.Session, p powershell.ExportS2SCertificate, _ [][]byte) (r powershell.ExportResult, err error) {
	c, err := ownCertificate(s, p.Thumbprint)
	if err != nil {
		return r, err
	}
	r.DER = c.DER
	return r, nil
}

// assertMaster is the prelude's Assert-Master.
func assertMaster(s *model.Session) error {
	machine, joined, err := officeMachine(s)
	if err != nil {
		return err
	}
	d, err := s.Describe()
	switch isMaster := farm.SameMachine(machine.MasterMachineName, d.Name); {
	case err != nil:
		return err
	case !joined:
		return stopScript("NotJoined", "this machine is in no Office Online Server farm")
	case !isMaster:
		return stopScript("NotMaster", "the master of the farm is %s", machine.MasterMachineName)
	}
	return nil
}

func setS2SCertificateName(s *model.Session, p powershell.SetS2SCertificateName, _ [][]byte) (r powershell.SetNameResult, err error) {
	r.Marked = []string{}
	if err := errorsFirst(assertElevated, importOffice, assertMaster)(s); err != nil {
		return r, err
	}
	c, err := ownCertificate(s, p.Thumbprint)
	if err != nil {
		return r, err
	}
	if c.FriendlyName != p.FriendlyName {
		return r, stopScript("WrongCertificate", "certificate %s has the friendly name '%s', not '%s'", p.Thumbprint, c.FriendlyName, p.FriendlyName)
	}
	if err := assertNameFree(s, p.FriendlyName, p.Thumbprint); err != nil {
		return r, err
	}
	if err := assertReplaceable(s, p.Archive); err != nil {
		return r, err
	}
	settings, err := s.Office().GetOfficeWebAppsFarm()
	r.Previous = settings.S2SCertificateName
	if err != nil {
		return r, err
	}
	if err := markArchived(s, []string{p.Thumbprint}, false, &r.Marked); err != nil {
		return r, err
	}
	if r.Previous != p.FriendlyName {
		if err := s.Office().SetOfficeWebAppsFarm(model.SetFarm{S2SCertificateName: &p.FriendlyName, Force: true}); err != nil {
			return r, errors.Join(err, markArchived(s, r.Marked, true, nil))
		}
		r.Changed = true
	}
	return r, markArchived(s, p.Archive, true, &r.Marked)
}

func setOfficeHTTPSetting(s *model.Session, p powershell.SetOfficeHTTPSetting, _ [][]byte) (r powershell.SetSettingResult, err error) {
	r.Settings = []string{}
	if err := errorsFirst(assertElevated, importOffice, assertMaster)(s); err != nil {
		return r, err
	}
	settings, err := s.Office().GetOfficeWebAppsFarm()
	if err != nil {
		return r, err
	}
	if want := p.AllowOutboundHTTP; want != nil && *want != settings.AllowOutboundHTTP {
		if err := s.Office().SetOfficeWebAppsFarm(model.SetFarm{AllowOutboundHTTP: want, Force: true}); err != nil {
			return r, err
		}
		r.Settings = append(r.Settings, "AllowOutboundHttp")
	}
	if want := p.AllowHTTPSecureStoreConnections; want != nil && *want != settings.AllowHTTPSecureStoreConnections {
		if err := s.Office().SetOfficeWebAppsFarm(model.SetFarm{AllowHTTPSecureStoreConnections: want, Force: true}); err != nil {
			return r, err
		}
		r.Settings = append(r.Settings, "AllowHttpSecureStoreConnections")
	}
	r.Changed = len(r.Settings) > 0
	return r, nil
}
