package pwsh

import (
	"time"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

// mutexOperations are behind the mutex of a machine, which scripts hold while they
// change something.
func mutexOperations() map[string]operation {
	return map[string]operation{
		"Open-ServerMutex": operationWithout(func(s *model.Session) (any, error) { return nil, s.OpenMutex() }),
		"Wait-ServerMutex": operationOn(func(s *model.Session, p struct{ Milliseconds int }) (any, error) {
			return s.WaitMutex(time.Duration(p.Milliseconds) * time.Millisecond)
		}),
		"Unlock-Server": operationWithout(func(s *model.Session) (any, error) { return nil, s.ReleaseMutex() }),
		"Get-OtherRun": operationWithout(func(s *model.Session) (any, error) {
			number, since, found, err := s.OtherRun()
			if !found {
				return nil, err
			}
			return newObject("OtherRun", object{"Id": number, "Since": dateTime(since)}), err
		}),
	}
}
