package scripts

import (
	"slices"
	"strings"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// settingsCertificates is the prelude's Find-SettingsCertificate.
func settingsCertificates(s *model.Session, certificates []powershell.NamedCertificate) (found []powershell.NamedCertificate, err error) {
	raw, _, err := s.ReadFile(model.SettingsFile)
	text := strings.ToLower(string(raw))
	for _, c := range certificates {
		name := strings.ToLower(strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(c.FriendlyName))
		if name != "" && (strings.Contains(text, ">"+name+"<") || strings.Contains(text, `"`+strings.ReplaceAll(name, `"`, "&quot;")+`"`)) {
			found = append(found, c)
		}
	}
	return found, err
}

// selectCertificate is the prelude's Select-Certificate.
func selectCertificate(s *model.Session, thumbprint string, certificates []powershell.NamedCertificate) error {
	selected, ok, err := findPersonal(s, thumbprint)
	if err != nil || !ok {
		return err
	}
	if err := markArchived(s, []string{thumbprint}, false, nil); err != nil {
		return err
	}
	for _, given := range certificates {
		if given.Thumbprint == thumbprint {
			continue
		}
		other, ok, err := findPersonal(s, given.Thumbprint)
		if err == nil && ok && strings.EqualFold(other.Subject, selected.Subject) {
			err = markArchived(s, []string{given.Thumbprint}, true, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func startOfficeServer(s *model.Session, p powershell.StartOfficeServer, _ [][]byte) (r powershell.StartResult, err error) {
	r.Started = []string{}
	if err := assertElevated(s); err != nil {
		return r, err
	}
	began, err := clock(s)
	if err != nil {
		return r, err
	}
	var stopped []string
	for _, name := range []string{model.WAS, model.W3SVC, model.WACSM} {
		state, err := serviceRecord(s, name)
		if err != nil {
			return r, err
		}
		if !state.Running {
			stopped = append(stopped, name)
		}
	}
	named, err := settingsCertificates(s, p.Certificates)
	if err != nil {
		return r, err
	}
	note := "; its settings.xml has none of the names that were looked for, or several"
	if len(named) == 1 {
		r.Named = named[0].FriendlyName
		note = "; its settings.xml has the name '" + r.Named + "'"
		if len(stopped) > 0 {
			if err := selectCertificate(s, named[0].Thumbprint, p.Certificates); err != nil {
				return r, err
			}
		}
	}
	if slices.Contains(stopped, model.WACSM) {
		if err := clearNote(s); err != nil {
			return r, err
		}
	}
	for _, name := range stopped {
		hint := ""
		if name == model.WACSM {
			hint = note
		}
		if err := restartWaited(s, name, hint); err != nil {
			return r, err
		}
	}
	r.Started, r.Changed = append(r.Started, stopped...), len(stopped) > 0
	return r, assertRunning(s, began, stopped...)
}
