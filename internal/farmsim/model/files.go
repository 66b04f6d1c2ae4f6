package model

import (
	"slices"
	"strings"
	"time"
)

type file struct {
	content []byte
	written time.Time
}

// SettingsFile is where a machine of an office farm keeps its copy of the
// farm's settings. Its content is not modelled.
const SettingsFile = `C:\ProgramData\Microsoft\OfficeWebApps\Data\FarmState\settings.xml`

// WriteFile writes a file that the procedure asks for, and reports whether
// that changed anything.
func (s *Session) WriteFile(path string, content []byte) (changed bool, err error) {
	err = s.performElevated(func(now time.Time) error {
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
		held, found := s.m.files[path]
		content, ok = slices.Clone(held.content), found
		return nil
	})
	return content, ok, err
}

// FileTime is when a file was last written, by the machine's clock; zero when
// there is none.
func (s *Session) FileTime(path string) (at time.Time, err error) {
	err = s.perform(func(time.Time) error {
		if member := s.world.office.findMember(s.m); member != nil && strings.EqualFold(path, SettingsFile) {
			at = s.m.clock(member.written)
			return nil
		}
		at = s.m.clock(s.m.files[path].written)
		return nil
	})
	return at, err
}
