package pwsh

import (
	"strconv"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

// describeMachine makes an operation that tells one thing of the machine.
func describeMachine(what func(model.Description) any) operation {
	return operationWithout(func(s *model.Session) (any, error) {
		d, err := s.Describe()
		return what(d), err
	})
}

// machineOperations are behind what the prelude and Windows' own cmdlets say
// of a machine, and do to its services and tasks.
func machineOperations() map[string]operation {
	return map[string]operation{
		"Get-ComputerName":      describeMachine(func(d model.Description) any { return d.Name }),
		"Get-AccountName":       operationWithout(func(s *model.Session) (string, error) { return s.Account(), nil }),
		"Get-MachineTime":       describeMachine(func(d model.Description) any { return dateTime(d.Clock) }),
		"Test-Elevated":         describeMachine(func(d model.Description) any { return d.Elevated }),
		"Get-KnownForest":       describeMachine(func(d model.Description) any { return d.Forests }),
		"Test-PendingReboot":    describeMachine(func(d model.Description) any { return d.PendingReboot }),
		"Test-FipsPolicy":       describeMachine(func(d model.Description) any { return d.FIPS }),
		"Get-ConfigurationMode": describeMachine(func(d model.Description) any { return d.ConfigurationMode }),
		"Get-WindowsBuild":      describeMachine(func(d model.Description) any { return d.Build }),
		"Get-DomainName":        describeMachine(func(d model.Description) any { return d.Domain }),
		"Get-ServiceStart": operationOn(func(s *model.Session, p struct{ Name string }) (any, error) {
			state, err := s.Service(p.Name)
			return dateTime(state.Since), err
		}),
		"Get-WorkerStart": operationWithout(func(s *model.Session) (any, error) {
			since, err := s.WorkersSince()
			return dateTime(since), err
		}),
		"Get-Service":     operationOn(getService),
		"Restart-Service": operationOn(restartService),
		"Get-OwnHostEntry": operationWithout(func(s *model.Session) (any, error) {
			own, err := s.HostEntry()
			return newObject("HostEntry", object{"Name": own.Name, "Addresses": own.Addresses}), err
		}),
		"Send-SiteRequest": operationOn(sendSiteRequest),

		"Get-SharePointFileVersion": operationWithout(func(s *model.Session) (any, error) {
			version, err := s.SharePointVersion()
			return versionOf(version), err
		}),
		"Get-AppPermission":          operationOn(getAppPermission),
		"Open-ConfigurationDatabase": operationWithout(openConfigurationDatabase),

		"Register-ScheduledTask": operationOn(func(s *model.Session, p registration) (any, error) { return nil, s.RegisterTask(p.Task) }),
		"Start-ScheduledTask": operationOn(func(s *model.Session, p struct{ TaskName string }) (any, error) {
			return nil, s.StartTask(p.TaskName)
		}),
		"Get-ScheduledTaskInfo": operationOn(func(s *model.Session, p struct{ TaskName, TaskPath string }) (any, error) {
			result, err := s.TaskResult(p.TaskName)
			return object{"$type": "MSFT_TaskDynamicInfo", "LastTaskResult": result, "LastRunTime": nil}, err
		}),
		"Unregister-ScheduledTask": operationOn(func(s *model.Session, p struct{ TaskName []string }) (any, error) {
			for _, name := range p.TaskName {
				if err := s.UnregisterTask(name); err != nil {
					return nil, err
				}
			}
			return nil, nil
		}),
	}
}

// registration is what Register-ScheduledTask is told. The model has neither
// logon types nor instances.
type registration struct {
	model.Task

	LogonType, MultipleInstances string
}

// getService shows services of the machine; all here start with Windows.
func getService(s *model.Session, p struct{ Name []string }) (any, error) {
	shown := []object{}
	for _, name := range p.Name {
		state, err := s.Service(name)
		if err != nil {
			return nil, err
		}
		status := "Stopped"
		if state.Running {
			status = "Running"
		}
		shown = append(shown, newObject("System.ServiceProcess.ServiceController", object{
			"Name": state.Name, "Status": status, "StartType": "Automatic",
		}))
	}
	return shown, nil
}

func restartService(s *model.Session, p struct {
	Name  []string
	Force bool
},
) (any, error) {
	for _, name := range p.Name {
		if err := s.RestartService(name); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// sendSiteRequest sends a request to the machine's own sites. All its addresses
// lead there.
func sendSiteRequest(s *model.Session, p struct {
	Address, Url string //nolint:revive // PowerShell's name.
	Milliseconds int
},
) (any, error) {
	r, err := s.RequestSite(p.Url)
	return newObject("SiteResponse", object{"Status": r.Status, "Problem": r.Problem}), err
}

// getAppPermission reads SharePoint's object model as the prelude does, which
// takes an SPWeb.
func getAppPermission(s *model.Session, p struct {
	Web            argument
	RegisteredName string
},
) (any, error) {
	url, err := pipeBind{kind: webType, property: "Url"}.bindName("GetAppPrincipal", "Web", p.Web)
	if err != nil {
		return nil, err
	}
	has, err := s.SharePoint().AppPermission(url, p.RegisteredName)
	return object{"$type": "AppPermission", "Right": has.Right, "AppOnly": has.AppOnly}, err
}

// openConfigurationDatabase shows SQL Server's answer as the prelude does: a state
// that is not listed is empty.
func openConfigurationDatabase(s *model.Session) (any, error) {
	answer, err := s.OpenConfigurationDatabase()
	state := ""
	if answer.State >= 0 {
		state = strconv.Itoa(answer.State)
	}
	return object{"$type": "Database", "Number": answer.Number, "Message": answer.Message, "State": state}, err
}
