package farm

// Right is what a person may be allowed to decide. The zero Right allows nothing.
type Right string

const (
	// RightOperate is for what neither skips a check nor goes back: rotating, trying
	// again, postponing, ending a run as it is.
	RightOperate Right = "operate"
	// RightApprove is for the approval of a cutover or an undo.
	RightApprove Right = "approve"
	// RightAccept is for going on in spite of a finding that stops a rotation, and for
	// leaving a certificate trusted that is none of the farm's.
	RightAccept Right = "accept"
	// RightSkip is for leaving a server out.
	RightSkip Right = "skip"
	// RightRollback is for every way back, and for leaving one.
	RightRollback Right = "rollback"
	// RightCompromised is for a rotation without approval and window, because the
	// certificate in use must not be trusted any longer.
	RightCompromised Right = "compromised"
	// RightDelete is for the deletion of an old certificate.
	RightDelete Right = "delete"
	// RightRelease is for letting a farm be rotated without being asked each time.
	RightRelease Right = "release"
)

// Rights lists every right.
func Rights() []Right {
	return []Right{RightOperate, RightApprove, RightAccept, RightSkip, RightRollback, RightCompromised, RightDelete, RightRelease}
}

// choiceRights are the rights that choices need.
var choiceRights = map[Choice]Right{
	Approve: RightApprove, Retry: RightOperate, Skip: RightSkip, RollBack: RightRollback, Forward: RightRollback,
	Abort: RightOperate, Postpone: RightOperate, Cancel: RightRollback,
}

// Needs lists the rights that who makes a decision needs. Retires reports whether it is
// about a retirement, whose approval is that of a deletion.
func (d Decision) Needs(retires bool) []Right {
	needs := []Right{choiceRights[d.Choice]}
	if d.Choice == Approve && retires {
		needs = []Right{RightDelete}
	}
	if len(d.Accept) > 0 {
		needs = append(needs, RightAccept)
	}
	return needs
}
