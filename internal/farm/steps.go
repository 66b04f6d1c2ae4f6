package farm

// Step is a step of a rotation, a rollback or a retirement, as reports and the
// Temporal UI name it.
type Step string

// The steps of a rotation, in the order of the procedure.
const (
	StepObserve       Step = "observe"
	StepImport        Step = "import certificate"
	StepGrant         Step = "grant key"
	StepExport        Step = "export certificate"
	StepRootAuthority Step = "trust root authority"
	StepRecheck       Step = "recheck"
	StepS2SName       Step = "set S2S certificate"
	StepReplication   Step = "wait for replication"
	StepHTTPSettings  Step = "set HTTP settings"
	StepIssuer        Step = "trust issuers"
	StepRestart       Step = "restart"
	StepVerify        Step = "verify"
)

// The steps of a rollback, which restores the newest change first.
const (
	StepPlanRollback        Step = "plan rollback"
	StepStart               Step = "start services"
	StepRestoreIssuers      Step = "restore issuers"
	StepRestoreHTTPSettings Step = "restore HTTP settings"
	StepRestoreS2SName      Step = "restore S2S certificate"
	StepReplicationAgain    Step = "wait for replication again"
	StepRestartAgain        Step = "restart again"
	StepRemoveRootAuthority Step = "remove root authority"
	StepRevokeKey           Step = "revoke key"
	StepRemoveCertificate   Step = "remove certificate"
)

// The steps of a retirement; [StepRemoveRootAuthority] may follow.
const (
	StepFindUse   Step = "find what uses it"
	StepArchive   Step = "archive old certificate"
	StepUnarchive Step = "unarchive old certificate"
	StepDelete    Step = "delete old certificate"
)

// Steps lists the steps of a rotation in order.
func Steps() []Step {
	return []Step{
		StepObserve, StepImport, StepGrant, StepExport, StepRootAuthority, StepRecheck, StepS2SName, StepReplication,
		StepHTTPSettings, StepIssuer, StepRestart, StepVerify,
	}
}

// RollbackSteps lists the steps of a rollback in order.
func RollbackSteps() []Step {
	return []Step{
		StepPlanRollback, StepStart, StepRestoreIssuers, StepRestoreHTTPSettings, StepRestoreS2SName, StepReplicationAgain,
		StepRestartAgain, StepRemoveRootAuthority, StepRevokeKey, StepRemoveCertificate,
	}
}

// RetirementSteps lists the steps that only a retirement has, in order.
func RetirementSteps() []Step { return []Step{StepFindUse, StepArchive, StepUnarchive, StepDelete} }

// AllSteps lists every step: those of a rotation, of a rollback and of a
// retirement. It is the order in which reports show them.
func AllSteps() []Step {
	var all []Step
	all = append(all, Steps()...)
	all = append(all, RollbackSteps()...)
	return append(all, RetirementSteps()...)
}
