package model

import (
	"strings"
	"time"
)

// Office is the OfficeWebApps module, loaded in a session.
type Office struct{ s *Session }

// Office loads the OfficeWebApps module.
func (s *Session) Office() Office { return Office{s} }

// OfficeInstalled reports whether the module OfficeWebApps is on the machine.
func (s *Session) OfficeInstalled() (installed bool, err error) {
	err = s.perform(func(time.Time) error {
		installed = s.m.Office || s.world.findMember(s.m) != nil
		return nil
	})
	return installed, err
}

func (o Office) onMember(operation func(member *officeMember, now time.Time) error) error {
	return o.s.performElevated(func(now time.Time) error {
		member := o.s.world.findMember(o.s.m)
		if member == nil {
			o.s.world.countRule(RuleNotJoined)
			return &Error{
				ID:       "FileNotFoundException,Microsoft.Office.Web.Apps.Administration.GetFarmCommand",
				Message:  "It does not appear that this machine is part of an Office Online Server farm.",
				Category: "ObjectNotFound", Exception: FileNotFoundException, HResult: notFoundResult,
			}
		}
		return operation(member, now)
	})
}

// OfficeFarm is the output of Get-OfficeWebAppsFarm.
type OfficeFarm struct {
	OfficeSettings

	// Machines are the names of its machines.
	Machines []string
}

// GetOfficeWebAppsFarm reads the farm as this machine sees it.
func (o Office) GetOfficeWebAppsFarm() (f OfficeFarm, err error) {
	err = o.onMember(func(member *officeMember, _ time.Time) error {
		if !member.m.services[WACSM].running {
			o.s.world.countRule(RuleFarmNeedsService)
			return invalidOperationError("InvalidOperationException,Microsoft.Office.Web.Apps.Administration.GetFarmCommand",
				"The Office Online service is not running.")
		}
		f.OfficeSettings = member.settings
		for _, other := range member.farm.members {
			f.Machines = append(f.Machines, o.s.world.nameInFarm(other.m))
		}
		return nil
	})
	return f, err
}

// nameInFarm is how the farm names a machine.
func (w *World) nameInFarm(m *machine) string {
	if w.policy.DNSMachineNames {
		w.countRule(RuleDNSMachineNames)
		return m.Host
	}
	return m.name
}

// OfficeMachine is the output of Get-OfficeWebAppsMachine.
type OfficeMachine struct {
	MachineName, MasterMachineName, HealthStatus string
}

// GetOfficeWebAppsMachine reads this machine's part of the farm.
func (o Office) GetOfficeWebAppsMachine() (m OfficeMachine, err error) {
	err = o.onMember(func(member *officeMember, _ time.Time) error {
		m = OfficeMachine{
			MachineName: o.s.world.nameInFarm(member.m), MasterMachineName: o.s.world.nameInFarm(member.farm.master.m),
			HealthStatus: member.health,
		}
		return nil
	})
	return m, err
}

// SetFarm are the parameters of Set-OfficeWebAppsFarm; nil is not given.
type SetFarm struct {
	S2SCertificateName              *string
	AllowOutboundHTTP               *bool
	AllowHTTPSecureStoreConnections *bool
	// Force is -Force: no question is asked.
	Force bool
}

// SetOfficeWebAppsFarm changes settings of the whole farm: on the master at
// once, on the members when the change has reached them.
func (o Office) SetOfficeWebAppsFarm(set SetFarm) error {
	return o.onMember(func(own *officeMember, now time.Time) error {
		o.s.noteChange()
		w, f := o.s.world, own.farm
		if err := w.checkSetFarm(f, set); err != nil {
			return err
		}
		changed := f.master.settings
		setIfGiven(&changed.S2SCertificateName, set.S2SCertificateName)
		setIfGiven(&changed.AllowOutboundHTTP, set.AllowOutboundHTTP)
		setIfGiven(&changed.AllowHTTPSecureStoreConnections, set.AllowHTTPSecureStoreConnections)
		w.countRule(RuleSetFarmWarns)
		o.s.warnings = append(o.s.warnings, "The following settings have been changed: "+strings.Join(set.names(), ", ")+
			". For this to take effect, every machine in the farm must be restarted.")
		w.countRule(RuleReplication)
		for _, member := range f.members {
			if member == f.master {
				member.settings, member.written = changed, now
				continue
			}
			member.coming = append(member.coming, replica{settings: changed, due: now.Add(w.policy.ReplicationDelay)})
			member.applyReplicas(now)
		}
		return nil
	})
}

// names are the parameters that are given.
func (set SetFarm) names() []string {
	var names []string
	for _, p := range []struct {
		name  string
		given bool
	}{
		{"S2SCertificateName", set.S2SCertificateName != nil},
		{"AllowOutboundHttp", set.AllowOutboundHTTP != nil},
		{"AllowHttpSecureStoreConnections", set.AllowHTTPSecureStoreConnections != nil},
	} {
		if p.given {
			names = append(names, p.name)
		}
	}
	return names
}

func setIfGiven[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func (w *World) checkSetFarm(f *officeFarm, set SetFarm) error {
	if set.S2SCertificateName == nil {
		return nil
	}
	const command = "Microsoft.Office.Web.Apps.Administration.SetFarmCommand"
	if !set.Force {
		w.countRule(RuleSetFarmPrompts)
		return promptError()
	}
	name := *set.S2SCertificateName
	if name == "" && w.policy.KeepS2SName {
		w.countRule(RuleEmptyS2SName)
		return bindingError(command, "Cannot validate argument on parameter 'S2SCertificateName'. The argument is null or empty.")
	}
	if name != "" && w.policy.CheckS2SName {
		if _, err := w.resolveName(f.master.m, name); err != nil {
			w.countRule(RuleS2SNameChecked)
			return invalidOperationError("InvalidOperationException,"+command, "The specified certificate was not found: "+name)
		}
	}
	return nil
}
