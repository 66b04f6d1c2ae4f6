package pwsh

import (
	"time"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

// serviceOperations are behind what restarts IIS, what tells why a service does not
// run, and the note of what a restart loaded.
func serviceOperations() map[string]operation {
	return map[string]operation{
		"Invoke-IisReset": operationOn(func(s *model.Session, p struct{ Action string }) (any, error) {
			if p.Action == "stop" {
				return s.IISStop()
			}
			return s.IISStart()
		}),
		"Get-WinEvent": operationOn(getWinEvent),
		"Get-LoadedText": operationWithout(func(s *model.Session) (any, error) {
			text, found, err := s.RegistryText(model.LoadedNote)
			if !found {
				return nil, err
			}
			return text, err
		}),
		"Set-LoadedText": operationOn(func(s *model.Session, p struct{ Text string }) (any, error) {
			return nil, s.SetRegistryText(model.LoadedNote, p.Text)
		}),
	}
}

// getWinEvent shows the errors of a log, newest first.
func getWinEvent(s *model.Session, p struct {
	LogName   string
	StartTime time.Time
	MaxEvents int
},
) (any, error) {
	found, err := s.Events(p.StartTime)
	shown := []object{}
	for _, e := range found {
		if e.Log == p.LogName && len(shown) < p.MaxEvents {
			shown = append(shown, newObject("System.Diagnostics.Eventing.Reader.EventLogRecord", object{
				"TimeCreated": dateTime(e.Time), "ProviderName": e.Source, "Message": e.Message, "Id": 0,
			}))
		}
	}
	return shown, err
}
