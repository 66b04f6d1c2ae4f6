package pwsh

import (
	"strings"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

// described makes an operation that tells one thing of the machine.
func described(what func(model.Description) any) operation {
	return tell(func(s *model.Session) (any, error) {
		d, err := s.Describe()
		return what(d), err
	})
}

// machineOperations are behind what the prelude and Windows' own cmdlets say
// of a machine, and do to its services and tasks.
func machineOperations() map[string]operation {
	return map[string]operation{
		"Get-ComputerName":      described(func(d model.Description) any { return d.Name }),
		"Get-AccountName":       tell(func(s *model.Session) (string, error) { return s.Account(), nil }),
		"Get-MachineTime":       described(func(d model.Description) any { return moment(d.Clock) }),
		"Test-Elevated":         described(func(d model.Description) any { return d.Elevated }),
		"Get-ForestName":        described(func(d model.Description) any { return d.Forest }),
		"Test-PendingReboot":    described(func(d model.Description) any { return d.PendingReboot }),
		"Test-FipsPolicy":       described(func(d model.Description) any { return d.FIPS }),
		"Get-ConfigurationMode": described(func(d model.Description) any { return d.ConfigurationMode }),
		"Get-WindowsBuild":      described(func(d model.Description) any { return d.Build }),
		"Get-DomainName":        described(func(d model.Description) any { return d.Domain }),
		"Get-ServiceStart": on(func(s *model.Session, p struct{ Name string }) (any, error) {
			state, err := s.Service(p.Name)
			return moment(state.Since), err
		}),
		"Get-WorkerStart": tell(func(s *model.Session) (any, error) {
			since, err := s.WorkersSince()
			return moment(since), err
		}),
		"Invoke-IisReset":   tell(func(s *model.Session) (int, error) { return 0, s.IISReset() }),
		"Get-Service":       on(getService),
		"Restart-Service":   on(restartService),
		"Invoke-WebRequest": on(invokeWebRequest),

		"Get-SharePointFileVersion": tell(func(s *model.Session) (any, error) {
			version, err := s.SharePointVersion()
			return versionOf(version), err
		}),
		"Get-AppPermission": on(getAppPermission),

		"Register-ScheduledTask": on(func(s *model.Session, p registration) (any, error) { return nil, s.RegisterTask(p.Task) }),
		"Start-ScheduledTask": on(func(s *model.Session, p struct{ TaskName string }) (any, error) {
			return nil, s.StartTask(p.TaskName)
		}),
		"Get-ScheduledTaskInfo": on(func(s *model.Session, p struct{ TaskName, TaskPath string }) (any, error) {
			result, err := s.TaskResult(p.TaskName)
			return object{"$type": "MSFT_TaskDynamicInfo", "LastTaskResult": result, "LastRunTime": nil}, err
		}),
		"Unregister-ScheduledTask": on(func(s *model.Session, p struct{ TaskName []string }) (any, error) {
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
		shown = append(shown, typed("System.ServiceProcess.ServiceController", object{
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

// invokeWebRequest answers the one page that scripts ask for, at this machine.
func invokeWebRequest(s *model.Session, p struct{ Uri string }) (any, error) { //nolint:revive // PowerShell's name.
	if !strings.HasSuffix(p.Uri, "/hosting/discovery") {
		return object{"$type": "Response", "StatusCode": 404, "Problem": ""}, nil
	}
	status, problem, err := s.Office().Discovery()
	return object{"$type": "Response", "StatusCode": status, "Problem": problem}, err
}

// getAppPermission reads SharePoint's object model as the prelude does, which
// takes an SPWeb.
func getAppPermission(s *model.Session, p struct {
	Web            argument
	RegisteredName string
},
) (any, error) {
	url, err := pipeBind{kind: webType, property: "Url"}.read("GetAppPrincipal", "Web", p.Web)
	if err != nil {
		return nil, err
	}
	has, err := s.SharePoint().AppPermission(url, p.RegisteredName)
	return object{"$type": "AppPermission", "Right": has.Right, "AppOnly": has.AppOnly}, err
}
