package model

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
)

type file struct {
	content []byte
	written time.Time
}

// SettingsFile is where a machine of an office farm keeps its copy of the
// farm's settings. Of its content the names of certificates are modelled.
const SettingsFile = `C:\ProgramData\Microsoft\OfficeWebApps\Data\FarmState\settings.xml`

// WriteFile writes a file that the procedure asks for, and reports whether
// that changed anything.
func (s *Session) WriteFile(path string, content []byte) (changed bool, err error) {
	err = s.change(func(now time.Time) error {
		held, ok := s.m.files[path]
		if changed = !ok || !slices.Equal(held.content, content); changed {
			s.m.files[path] = file{content: slices.Clone(content), written: now}
		}
		return nil
	})
	return changed, err
}

// ReadFile reads a file; ok is false when there is none.
func (s *Session) ReadFile(path string) (content []byte, ok bool, err error) {
	err = s.perform(func(time.Time) error {
		if member := s.world.findMember(s.m); member != nil && strings.EqualFold(path, SettingsFile) {
			s.world.countRule(RuleSettingsFile)
			content, ok = member.settingsText(), true
			return nil
		}
		held, found := s.m.files[path]
		content, ok = slices.Clone(held.content), found
		return nil
	})
	return content, ok, err
}

// settingsText is a member's settings file. Its format is documented nowhere;
// operators tell of a StringValue for each certificate name.
func (o *officeMember) settingsText() []byte {
	var text bytes.Buffer
	text.WriteString(`<?xml version="1.0" encoding="utf-8"?><Settings>`)
	for _, setting := range [][2]string{
		{"CertificateName", o.settings.CertificateName}, {"S2SCertificateName", o.settings.S2SCertificateName},
	} {
		text.WriteString("<" + setting[0] + "><StringValue>")
		text.WriteString(strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(setting[1]))
		text.WriteString("</StringValue></" + setting[0] + ">")
	}
	text.WriteString("</Settings>")
	return text.Bytes()
}

// EditSettingsFile is what operators do by hand on a machine whose WACSM does not
// start: they write another S2SCertificateName into its copy of the settings.
func (w *World) EditSettingsFile(host, s2sCertificateName string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.settleAll()
	m, err := w.findMachine(host)
	if err != nil {
		return fmt.Errorf("edit settings: %w", err)
	}
	member := w.findMember(m)
	if member == nil {
		return fmt.Errorf("edit settings: %s is not of the farm", host)
	}
	w.countRule(RuleSettingsFile)
	member.settings.S2SCertificateName, member.written = s2sCertificateName, now
	return nil
}

// FileTime is when a file was last written, by the machine's clock; zero when
// there is none.
func (s *Session) FileTime(path string) (at time.Time, err error) {
	err = s.perform(func(time.Time) error {
		if member := s.world.findMember(s.m); member != nil && strings.EqualFold(path, SettingsFile) {
			at = s.m.clock(member.written)
			return nil
		}
		at = s.m.clock(s.m.files[path].written)
		return nil
	})
	return at, err
}

// LoadedNote is where Restart-OfficeServer notes what was loaded.
const LoadedNote = `HKEY_LOCAL_MACHINE\SOFTWARE\farmtrust\Loaded`

// RegistryText reads a text value of the registry; ok is false when there is none.
func (s *Session) RegistryText(path string) (text string, ok bool, err error) {
	err = s.perform(func(time.Time) error {
		text, ok = s.m.registry[path]
		return nil
	})
	return text, ok, err
}

// SetRegistryText writes a text value of the registry, and its key if need be.
func (s *Session) SetRegistryText(path, text string) error {
	return s.change(func(time.Time) error {
		s.m.registry[path] = text
		return nil
	})
}
