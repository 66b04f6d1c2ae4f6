package cmdlets

import (
	"fmt"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

// enterTask is what a stand-in asks for that starts the SharePoint task.
const enterTask = "Enter-Task"

// taskOperations are behind the SharePoint task, as far as it is on a server.
// Its requests and answers are files of the process that runs.
func taskOperations() map[string]operation {
	return map[string]operation{
		"Get-ScheduledTask": on(func(s *model.Session, p struct{ TaskName, TaskPath []string }) (any, error) {
			shown := []object{}
			for _, name := range p.TaskName {
				if _, err := s.TaskResult(name); err != nil {
					return nil, err
				}
				shown = append(shown, typed("MSFT_ScheduledTask", object{"TaskName": name, "State": "Ready"}))
			}
			return shown, nil
		}),
		"Get-ScriptHash": tell((*model.Session).SharePointTaskHash),
	}
}

// enter lets another process in, which acts as the account of the SharePoint
// task for as long as this visit lasts.
func (v *Visit) enter() (string, error) {
	session, err := v.session.SharePointTaskSession()
	if err != nil {
		return "", fmt.Errorf("enter the SharePoint task: %w", err)
	}
	inner := v.door.Admit(session, v.broken)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.inner = append(v.inner, inner)
	return inner.Token, nil
}
