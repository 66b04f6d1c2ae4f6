package activities

import (
	"context"
	"fmt"
	"slices"

	"go.temporal.io/sdk/activity"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// ReplicationInput names a server that should see the S2S setting of its office farm.
type ReplicationInput struct {
	ServerInput
	// Before is what is restored of the setting, and of the server's own certificates; nil
	// where the setting names the target.
	Before *SettingsBefore `json:"before,omitempty"`
}

// SettingsBefore are the sealed parts of a snapshot from which a way back restores the
// settings of an office server: Farm has those of its office farm, and Server its
// certificates. They differ where the server was not part of the farm then.
type SettingsBefore struct {
	Farm   farm.OfficeBefore `json:"farm"`
	Server farm.OfficeBefore `json:"server"`
}

// openSettings checks both parts.
func (a *Activities) openSettings(in ServerInput, f farm.Farm, b SettingsBefore) error {
	if err := a.openOffice(in, f, b.Server); err != nil || b.Farm.Host == b.Server.Host {
		return err
	}
	return a.openOffice(in, f, b.Farm)
}

// wanted returns the S2S setting that a server is to see, and which of its certificates
// are unarchived and archived then.
func (a *Activities) wanted(ctx context.Context, in ReplicationInput, f farm.Farm) (name string, unarchive, archive func(farm.OfficeServer) []farm.Thumbprint, err error) {
	list := func(t ...farm.Thumbprint) func(farm.OfficeServer) []farm.Thumbprint {
		return func(farm.OfficeServer) []farm.Thumbprint { return t }
	}
	if in.Before == nil {
		sharers := func(s farm.OfficeServer) []farm.Thumbprint { return s.VisibleSharers(in.Target) }
		return in.Target.FriendlyName, list(in.Target.Thumbprint), sharers, a.checkMandate(ctx, in, MayCutOver)
	}
	if err := a.openSettings(in.ServerInput, f, *in.Before); err != nil {
		return "", nil, nil, err
	}
	return in.Before.Farm.S2SCertificateName, list(in.Before.Server.Unarchive...), list(in.Before.Server.Archive...), a.checkMandate(ctx, in, MayRestore)
}

// AwaitReplication waits until an office server has the farm's new S2S setting,
// which the master replicates to the other machines with some delay. Then, at once,
// it makes the certificate that the setting names the only visible one of its
// subject: until that is done the service might not start there. The result's At is
// when it had the setting. It fails with [WaitTimedOut].
func (a *Activities) AwaitReplication(ctx context.Context, in ReplicationInput) (StepResult, error) {
	t, f, err := a.resolveOfficeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	name, unarchive, archive, err := a.wanted(ctx, in, f)
	if err != nil {
		return StepResult{}, err
	}
	started := a.Now()
	var seen farm.OfficeServer
	err = a.awaitCondition(ctx, func() (_ bool, _ string, err error) {
		seen, err = a.observeOffice(ctx, t, in.Target, "")
		if err == nil && !seen.Joined {
			err = serviceStopped(activity.GetInfo(ctx).Attempt, "%s cannot get the setting: %s: remove the cause, then retry, which starts it", in.Host, seen.WhyUnread())
		}
		now := seen.Settings.S2SCertificateName
		return now == name && err == nil, fmt.Sprintf("%s still has S2SCertificateName %s", in.Host, quoteName(now)), err
	})
	if err != nil {
		return StepResult{}, err
	}
	seenAt := a.Now()
	arrived := fmt.Sprintf("has %s after %s", quoteName(name), farm.FormatDuration(seenAt.Sub(started)))
	hidden := archive(seen)
	marked, err := a.markCertificates(ctx, t, unarchive(seen), hidden)
	result, err := a.stepResult(err, len(marked) > 0, arrived+describeMarked(marked), arrived)
	result.addMarks(marked, hidden)
	result.At = seenAt
	return result, err
}

// addMarks adds the certificates that were archived, and those that were unarchived.
func (r *StepResult) addMarks(marked []string, archived []farm.Thumbprint) {
	for _, t := range marked {
		before, after := "archived", "visible"
		if slices.Contains(archived, farm.Thumbprint(t)) {
			before, after = after, before
		}
		r.addChange("certificate "+farm.Thumbprint(t).Short(), before, after)
	}
}

// markCertificates unarchives certificates, then archives others, and returns those
// that were not so already.
func (a *Activities) markCertificates(ctx context.Context, t powershell.Target, unarchive, archive []farm.Thumbprint) ([]string, error) {
	var marked []string
	for _, c := range slices.Concat(unarchive, archive) {
		params := powershell.SetS2SCertificateArchived{Thumbprint: string(c), Archived: slices.Contains(archive, c)}
		done, err := runScript(ctx, a.Remote, t, params)
		if err != nil {
			return marked, err
		}
		if done.Changed {
			marked = append(marked, string(c))
		}
	}
	return marked, nil
}
