package farm

// Step is a step of the procedure, in the words of reports and the UI.
type Step string

// The steps, in the order of the procedure.
const (
	StepObserve       Step = "observe"
	StepImport        Step = "import certificate"
	StepGrant         Step = "grant key"
	StepExport        Step = "export certificate"
	StepRootAuthority Step = "trust root authority"
	StepRecheck     Step = "look again"
	StepS2SName       Step = "set S2S certificate"
	StepReplication       Step = "see S2S certificate"
	StepHTTPSettings  Step = "set HTTP switches"
	StepIssuer        Step = "trust issuers"
	StepRestart       Step = "restart"
	StepVerify        Step = "verify"
)

// Steps lists all steps in order.
func Steps() []Step {
	return []Step{
		StepObserve, StepImport, StepGrant, StepExport, StepRootAuthority, StepRecheck, StepS2SName, StepReplication,
		StepHTTPSettings, StepIssuer, StepRestart, StepVerify,
	}
}

// Difference is one way in which a farm is not as desired.
type Difference struct {
	Step Step `json:"step"`
	// Server is where the step that removes the difference runs.
	Server string `json:"server"`
	// Subject tells differences of one step on one server apart.
	Subject string `json:"subject,omitempty"`
	// Have and Want are the two values, as people read them.
	Have string `json:"have"`
	Want string `json:"want"`
	// Text says it in a sentence: what will be done, and why.
	Text string `json:"text"`
}

// Severity says what a finding means for a rotation.
type Severity string

// The severities.
const (
	// Stop ends a rotation before anything is changed.
	Stop Severity = "stop"
	// Warn is shown and does not stop.
	Warn Severity = "warn"
)

// Finding is something about a farm that no step changes.
type Finding struct {
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	Server   string   `json:"server,omitempty"`
	// Text says what was found, Remedy what to do about it.
	Text   string `json:"text"`
	Remedy string `json:"remedy,omitempty"`
}
