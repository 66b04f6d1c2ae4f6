package scripts

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// loadedNote is the prelude's Get-LoadedNote.
func loadedNote(s *model.Session) (*powershell.LoadedSettings, error) {
	text, ok, err := s.RegistryText(model.LoadedNote)
	if err != nil || !ok {
		return nil, err
	}
	var note powershell.LoadedSettings
	if json.Unmarshal([]byte(text), &note) != nil {
		return nil, nil //nolint:nilnil // What cannot be read is none.
	}
	return &note, nil
}

// loadable is what the prelude's Get-SettingsToLoad returns.
type loadable struct {
	powershell.LoadedSettings

	keySince time.Time
}

// settingsToLoad is the prelude's Get-SettingsToLoad; nil when the settings cannot
// be read.
func settingsToLoad(s *model.Session) (*loadable, error) {
	service, err := serviceRecord(s, model.WACSM)
	if err != nil || !service.Running {
		return nil, err
	}
	if _, joined, err := officeMachine(s); err != nil || !joined {
		return nil, err
	}
	settings, err := s.Office().GetOfficeWebAppsFarm()
	if err != nil {
		return nil, err
	}
	found := &loadable{LoadedSettings: powershell.LoadedSettings{
		S2SCertificateName: settings.S2SCertificateName, AllowOutboundHTTP: settings.AllowOutboundHTTP,
		AllowHTTPSecureStoreConnections: settings.AllowHTTPSecureStoreConnections,
	}}
	personal, err := s.Certificates(model.My)
	if err != nil {
		return nil, err
	}
	var selected []model.Certificate
	for _, c := range personal {
		if settings.S2SCertificateName != "" && strings.EqualFold(c.FriendlyName, settings.S2SCertificateName) {
			selected = append(selected, c)
		}
	}
	if len(selected) == 1 {
		found.Thumbprint = string(selected[0].Thumbprint)
		if since := certificateRecord(s, selected[0], false).KeySince; since != nil {
			found.keySince = *since
		}
	}
	return found, nil
}

// isNoteCurrent is the prelude's Test-NoteCurrent.
func isNoteCurrent(note *powershell.LoadedSettings, now *loadable) bool {
	if note == nil || now == nil {
		return false
	}
	was := *note
	was.Since, was.Service = time.Time{}, time.Time{}
	return was == now.LoadedSettings
}

// isProven reports whether a note proves that the processes have loaded what is set
// now.
func isProven(s *model.Session, note *powershell.LoadedSettings, now *loadable, service model.ServiceState) (proven bool, err error) {
	if !isNoteCurrent(note, now) || !service.Running || service.Since.Before(note.Since) {
		return false, nil
	}
	older, err := hasOlderWorker(s, note.Since)
	return !older, err
}

// readProof reports whether WACSM is the very process of a note, and whether the note
// proves that the processes have loaded what is set now.
func readProof(s *model.Session, p powershell.RestartOfficeServer, note *powershell.LoadedSettings, now *loadable) (isNoted, proven bool, err error) {
	service, err := s.Service(model.WACSM)
	if err != nil || note == nil {
		return false, false, err
	}
	isNoted = service.Running && service.Since.Sub(note.Service).Abs() < time.Second
	proven, err = isProven(s, note, now, service)
	return isNoted, proven && (p.NotBefore == nil || !note.Since.Before(*p.NotBefore)), err
}

// restartBound is the prelude's Get-RestartBound.
func restartBound(s *model.Session, p powershell.RestartOfficeServer, note *powershell.LoadedSettings, now *loadable, began time.Time) (bound time.Time, err error) {
	raise := func(moment *time.Time) {
		if moment != nil && moment.After(bound) {
			bound = *moment
		}
	}
	raise(p.NotBefore)
	isNoted, proven, err := readProof(s, p, note, now)
	if err != nil {
		return bound, err
	}
	if !proven || !isNoted {
		raise(p.UnlessNoted)
	}
	if proven {
		return bound, nil
	}
	written, err := s.FileTime(model.SettingsFile)
	if err != nil {
		return bound, err
	}
	if written.IsZero() || isNoted && !isNoteCurrent(note, now) {
		raise(&began)
	}
	raise(&written)
	if now != nil {
		raise(&now.keySince)
	}
	return bound, nil
}

// saveNote is the prelude's Save-LoadedNote.
func saveNote(s *model.Session, now *loadable, since time.Time) error {
	service, err := serviceRecord(s, model.WACSM)
	if err != nil {
		return err
	}
	note := now.LoadedSettings
	note.Since, note.Service = *moment(since), *service.Since
	text, err := json.Marshal(note)
	if err != nil {
		return err
	}
	return s.SetRegistryText(model.LoadedNote, string(text))
}

// clearNote is the prelude's Clear-LoadedNote.
func clearNote(s *model.Session) error {
	if note, err := loadedNote(s); err != nil || note == nil {
		return err
	}
	return s.SetRegistryText(model.LoadedNote, "")
}

func restartOfficeServer(s *model.Session, p powershell.RestartOfficeServer, _ [][]byte) (powershell.RestartResult, error) {
	var done restarts
	if err := errorsFirst(assertElevated, importOffice)(s); err != nil {
		return done.result(), err
	}
	began, err := clock(s)
	if err != nil {
		return done.result(), err
	}
	service, err := serviceRecord(s, model.WACSM)
	if err == nil && !service.Running {
		var restarted bool
		restarted, err = restartOlderService(s, model.WACSM, began)
		done.add(model.WACSM, restarted)
	}
	if err != nil {
		return done.result(), err
	}
	err = restartLoaded(s, p, began, &done)
	return done.result(), err
}

// areSettingsKnown reports whether none arrived while the service started, which it
// may or may not have loaded.
func areSettingsKnown(s *model.Session, began time.Time, done *restarts) (known bool, err error) {
	if !done.has(model.WACSM) {
		return true, nil
	}
	written, err := s.FileTime(model.SettingsFile)
	return !written.IsZero() && written.Before(began), err
}

// restartLoaded is what Restart-OfficeServer does once the service runs.
func restartLoaded(s *model.Session, p powershell.RestartOfficeServer, began time.Time, done *restarts) error {
	note, err := loadedNote(s)
	if err != nil {
		return err
	}
	now, err := settingsToLoad(s)
	if err != nil {
		return err
	}
	known, err := areSettingsKnown(s, began, done)
	if err != nil {
		return err
	}
	before, err := restartBound(s, p, note, now, began)
	if err != nil {
		return err
	}
	if !done.has(model.WACSM) {
		restarted, err := restartOlderService(s, model.WACSM, before)
		if err != nil {
			return err
		}
		done.add(model.WACSM, restarted)
	}
	restarted, err := restartOlderIIS(s, before)
	if err != nil {
		return err
	}
	done.add(model.IIS, restarted)
	if err := assertStarted(s, began, *done); err != nil {
		return err
	}
	noted := !done.has(model.WACSM) && isNoteCurrent(note, now)
	switch {
	case len(done.names) == 0 || noted:
		return nil
	case now == nil || !known:
		return clearNote(s)
	}
	return saveNote(s, now, began)
}
