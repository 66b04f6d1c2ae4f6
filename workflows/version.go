package workflows

import "go.temporal.io/sdk/workflow"

// The changes after which a run that an older version began goes on as that
// version would: Temporal replays its history. They stay until no such run is
// left.
const (
	parksEnd       = "every park has a deadline"
	missesWindow   = "a switch does not begin after its window"
	seesStops      = "what stops a rotation holds the switch"
	opensJournal   = "a journal is opened by the look"
	namesNewest    = "the certificate in use is the compromised one"
	keepsJournal   = "an undo forgets its own journal"
	judgesWishLast = "a wish is judged when it begins"
	beginsSoakAnew = "an unfinished rotation has no soak"
)

// since says whether a run has a change. It is asked only where the change
// makes a difference, so that histories stay free of marks.
func since(ctx workflow.Context, change string) bool {
	return workflow.GetVersion(ctx, change, workflow.DefaultVersion, 1) != workflow.DefaultVersion
}
