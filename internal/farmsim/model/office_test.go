package model_test

import (
	"slices"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

const (
	nonInteractive = "Windows PowerShell is in NonInteractive mode. Read and Prompt functionality is not available."
	unresolved     = "Parameter set cannot be resolved using the specified named parameters."
	noObject       = "A valid object could not be read from the provided pipebind parameter."
	noLocalFarm    = "Cannot access the local farm. Verify that the local farm is properly configured, currently available, and " +
		"that you have the appropriate permissions to access the database before trying again."
	notSpecified = "Failed to start service 'WACSM (WACSM)'. Service cannot be started. " +
		"System.InvalidOperationException: The certificate has not been specified."
)

var officeStories = map[model.RuleID]story{
	model.RuleNotJoined: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		_, err := s.on(alone).Office().GetOfficeWebAppsMachine()
		s.refused(err, "It does not appear that this machine is part of an Office Online Server farm.")
		return s
	},
	model.RuleFarmNeedsService: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		s.useS2S("nothing")
		s.refused(s.on(master).RestartService(model.WACSM), notSpecified)
		_, err := s.on(master).Office().GetOfficeWebAppsFarm()
		s.refused(err, "The Office Online service is not running.")
		return s
	},
	model.RuleSetFarmPrompts: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		name := "S2S"
		s.refused(s.on(master).Office().SetOfficeWebAppsFarm(model.SetFarm{S2SCertificateName: &name}), nonInteractive)
		return s
	},
	model.RuleS2SNameChecked: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{CheckS2SName: true})
		name := "S2S"
		set := model.SetFarm{S2SCertificateName: &name, Force: true}
		s.refused(s.on(master).Office().SetOfficeWebAppsFarm(set), "The specified certificate was not found: S2S")
		s.install(master, pair(t, "s2s", nil), "S2S")
		s.ok(s.on(master).Office().SetOfficeWebAppsFarm(set))
		return s
	},
	model.RuleEmptyS2SName: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{KeepS2SName: true})
		name := ""
		s.refused(s.on(master).Office().SetOfficeWebAppsFarm(model.SetFarm{S2SCertificateName: &name, Force: true}),
			"Cannot validate argument on parameter 'S2SCertificateName'. The argument is null or empty.")
		return s
	},
	model.RuleReplication: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{ReplicationDelay: time.Minute})
		s.useS2S("S2S")
		seen := func(host string) string {
			f, err := s.on(host).Office().GetOfficeWebAppsFarm()
			s.ok(err)
			return f.S2SCertificateName
		}
		if seen(master) != "S2S" || seen(member) != "" {
			t.Errorf("at once the master sees %q and a member %q", seen(master), seen(member))
		}
		time.Sleep(time.Minute)
		if seen(member) != "S2S" {
			t.Errorf("after the delay a member sees %q", seen(member))
		}
		written, err := s.on(member).FileTime(model.SettingsFile)
		s.ok(err)
		if !written.Equal(time.Now()) {
			t.Errorf("the member's settings were written at %s, want when they came: %s", written, time.Now())
		}
		return s
	},
	model.RuleLoadAtStart: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		old, next := pair(t, "old", nil), pair(t, "new", nil)
		s.setUp(old)
		s.install(master, next, "S2S new")
		s.grant(master, next)
		s.useS2S("S2S new")
		s.broken(model.RuleLoadAtStart)
		s.ok(s.on(master).RestartService(model.WACSM))
		if got := s.obstacles(master, front); !slices.Contains(got, model.RuleLoadAtStart) {
			t.Errorf("obstacles %q after WACSM alone restarted", got)
		}
		s.ok(s.on(master).IISReset())
		// It signs with the new one, which SharePoint does not know.
		if got := s.obstacles(master, front); !slices.Equal(got, []model.RuleID{model.RuleTrustedIssuer, model.RuleChain}) {
			t.Errorf("obstacles %q after both restarted", got)
		}
		return s
	},
	model.RuleNameMissing: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		s.setUp(pair(t, "s2s", nil))
		s.useS2S("misspelt")
		s.refused(s.on(master).RestartService(model.WACSM), notSpecified)
		s.useS2S("s2s") // Windows compares names without case.
		s.restartOffice(master)
		return s
	},
	model.RuleNameAmbiguous: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		p := pair(t, "s2s", nil)
		s.setUp(p)
		_, err := s.on(master).AddToStore(model.Root, p.cert.Raw)
		s.ok(err)
		s.restartOffice(master) // a copy in Trusted Root without the name does no harm
		s.ok(s.on(master).SetFriendlyName(model.Root, p.thumbprint(), "S2S"))
		s.refused(s.on(master).RestartService(model.WACSM), notSpecified)
		_, err = s.on(master).RemoveFromStore(model.Root, p.thumbprint())
		s.ok(err)
		s.install(master, pair(t, "other", nil), "S2S")
		s.refused(s.on(master).RestartService(model.WACSM), notSpecified)
		return s
	},
	model.RuleSameSubject: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{SameSubjectStopsService: true})
		s.setUp(pair(t, "s2s", nil))
		s.install(master, pair(t, "s2s", nil), "S2S renewed")
		s.refused(s.on(master).RestartService(model.WACSM), notSpecified)
		return s
	},
	model.RuleNoCNG: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		p := pair(t, "s2s", nil)
		_, err := s.on(master).ImportPFX(model.PfxCmdlet, p.pfx(t), []byte(password), machineKey)
		s.ok(err)
		s.ok(s.on(master).SetFriendlyName(model.My, p.thumbprint(), "S2S"))
		s.grant(master, p)
		s.useS2S("S2S")
		s.trust(p)
		s.restartSharePoint(front)
		s.restartOffice(master)
		s.broken(model.RuleNoCNG)
		return s
	},
	model.RuleRSAOnly: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		s.setUp(ecPair(t, "s2s", nil))
		if got := s.obstacles(master, front); !slices.Contains(got, model.RuleRSAOnly) {
			t.Errorf("obstacles %q, want the key's kind among them", got)
		}
		return s
	},
}
