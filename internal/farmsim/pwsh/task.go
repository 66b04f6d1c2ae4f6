package pwsh

import (
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// startTask is what a stub asks for that starts the script of a scheduled task.
const startTask = "Start-TaskScript"

// taskOperations are behind the SharePoint task, as far as it is on a server.
// Its requests and answers are files of the process that runs.
func taskOperations() map[string]operation {
	return map[string]operation{
		"Get-ScheduledTask": operationOn(func(s *model.Session, p struct{ TaskName, TaskPath []string }) (any, error) {
			shown := []object{}
			for _, pattern := range p.TaskName {
				found, err := s.Tasks(pattern)
				if err != nil {
					return nil, err
				}
				for _, name := range found {
					shown = append(shown, newObject("MSFT_ScheduledTask", object{"TaskName": name, "State": "Ready"}))
				}
			}
			return shown, nil
		}),
		"Get-ScriptHash": operationOn(func(s *model.Session, p struct{ Path string }) (any, error) {
			script, installed, err := s.ReadFile(p.Path)
			if err != nil || !installed {
				return "", err
			}
			return powershell.HashTask(string(script)), nil
		}),
	}
}
