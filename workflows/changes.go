package workflows

import "go.temporal.io/sdk/workflow"

// change is something that a run does since a version of the worker. A run that was
// begun by an older one goes on as it began: another order of commands would not
// replay. A change may go once no run that was begun before it is open, and none that
// has ended is kept for queries: after the namespace's retention.
type change string

const (
	// changeAdmission: a run has one workflow ID only, and asks the farm's controller
	// for admission before its first change. Since 2026-11-28.
	changeAdmission change = "a run is admitted"
	// changeHints: a run tells the controller when it begins to wait, goes on and ends.
	// Since 2026-11-28.
	changeHints change = "a run sends hints"
	// changeReminders: a run that waits reminds operators, and notices that the
	// certificate before has ended. Since 2026-11-28.
	changeReminders change = "a wait is reminded of"
	// changeApprovalTimeout: an approval is waited for until a deadline. Since
	// 2026-11-28.
	changeApprovalTimeout change = "an approval has a deadline"
	// changeRollbackLook: a rotation looks whether its rollback is possible before it
	// leaves the blocked step. Since 2026-11-28.
	changeRollbackLook change = "a rollback is looked at first"
	// changeBackOff: a blocked step that tries itself again waits longer each time.
	// Since 2026-11-28.
	changeBackOff change = "a blocked step backs off"
	// changeWayBack: a way back restores what its own rotation changed: nothing is
	// restarted where only staging was done, the name and the issuers go back together,
	// and what no person has asked for waits for the window. Since 2026-11-29.
	changeWayBack change = "a way back is the rotation's own"
	// changeOwnSnapshots: a controller keeps what a rotation left unfinished apart from
	// what a verified one replaced. Since 2026-11-29.
	changeOwnSnapshots change = "snapshots are apart"
	// changeCancelledWait: a run that was cancelled while it waited for an operator
	// needs none any more. Since 2026-11-28.
	changeCancelledWait change = "a cancelled wait needs no operator"
	// changeReleases: a controller starts nothing by itself on a farm that nobody has
	// released, and reads the policy of a worker that starts. Since 2026-11-29.
	changeReleases change = "a farm is released"
	// changeReports: a run that does not end as planned observes the farm at its end, and
	// tells the controller that it rolls back; what was so before a run does not mark a
	// farm that is inspected after it. Since 2026-11-29.
	changeReports change = "what is told is of now"
	// changeApproval: an approval is for one opening of the window, is asked for only
	// where users notice something, and again when anything has changed. Since
	// 2026-11-29.
	changeApproval change = "an approval covers what users notice"
	// changeVerifies: a controller recalls where what it begins with was not sealed by a
	// worker, reads its configuration instead of believing who says that it has changed,
	// and looks for foreign trust. Since 2026-11-29.
	changeVerifies change = "a controller verifies"
	// changeShowsEndLast: a run shows its outcome with the task that closes it, after it
	// has told the controller. Since 2026-11-29.
	changeShowsEndLast change = "a run shows its end last"
	// changeReplacement: a rotation away from a compromised certificate asks the source
	// for another one where that is the newest. Since 2026-11-29.
	changeReplacement change = "a compromised certificate is replaced by the source"
	// changeDestroysKey: a retirement destroys the worker's own copy of the certificate.
	// Since 2026-11-29.
	changeDestroysKey change = "the worker's own copy is destroyed"
	// changeMandate: a worker takes and seals the snapshot of a run, and permits each of its
	// stages. A run without that changes nothing. Since 2026-11-29.
	changeMandate change = "a run has a mandate"
	// changeProofs: a run and a controller have a worker find out who decides before they
	// take a decision or a request. Since 2026-11-29.
	changeProofs change = "who decides is checked"
	// changeNotices: a controller tells operators what they need to know, looks at the
	// source more often the closer the end comes, and takes what is urgent from how long the
	// certificate lives. Since 2026-11-29.
	changeNotices change = "operators are told"
)

// has reports whether a run makes a change.
func (c change) has(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, string(c), workflow.DefaultVersion, 1) != workflow.DefaultVersion
}
