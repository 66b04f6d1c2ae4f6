package scripts

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// assertElevated is the prelude's Assert-Elevated.
func assertElevated(s *model.Session) error {
	d, err := s.Describe()
	if err == nil && !d.Elevated {
		err = stopScript("NotElevated", "the account runs without administrator rights on this server")
	}
	return err
}

// errorsFirst makes one check of several.
func errorsFirst(checks ...func(*model.Session) error) func(*model.Session) error {
	return func(s *model.Session) error {
		for _, check := range checks {
			if err := check(s); err != nil {
				return err
			}
		}
		return nil
	}
}

// describe is the prelude's Get-Machine.
func describe(s *model.Session) (powershell.Machine, error) {
	d, err := s.Describe()
	return powershell.Machine{
		Name: d.Name, Domain: d.Domain, Forest: forestName(d), WindowsBuild: d.Build, PowerShell: d.PowerShell, Elevated: d.Elevated, FIPS: d.FIPS,
		Clock: d.Clock.Truncate(time.Millisecond), PendingReboot: d.PendingReboot, ConfigurationMode: d.ConfigurationMode,
	}, err
}

// forestName is the prelude's Get-ForestName.
func forestName(d model.Description) string {
	known := slices.Compact(slices.Sorted(slices.Values(d.Forests)))
	if len(known) == 1 {
		return known[0]
	}
	own := slices.DeleteFunc(known, func(forest string) bool {
		return forest == "" || !strings.HasSuffix(strings.ToLower("."+d.Domain), strings.ToLower("."+forest))
	})
	if len(own) == 1 {
		return own[0]
	}
	return ""
}

// moment is a time as scripts write it: to the millisecond, null for none.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Millisecond)
	return &t
}

// serviceRecord is the prelude's Get-ServiceRecord. A service that does not
// exist does not run.
func serviceRecord(s *model.Session, name string) (powershell.Service, error) {
	state, err := s.Service(name)
	if _, ok := errors.AsType[*model.Error](err); ok {
		err = nil
	}
	return powershell.Service{Name: name, Running: state.Running, Since: moment(state.Since)}, err
}

func workersSince(s *model.Session) (*time.Time, error) {
	since, err := s.WorkersSince()
	return moment(since), err
}
