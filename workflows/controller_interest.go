package workflows

import (
	"encoding/json"
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/controller"
)

// showInterest shows which expiry events concern the farm, where that has changed, as the
// controller's memo: what delivers events reads it without a worker. It is a hint, as
// an event is, and nothing that the controller does rests on it.
func (c *farmController) showInterest(ctx workflow.Context) {
	content := encodeInterest(c.Interest)
	if content == "" || content == "{}" || content == c.shownInterest || !c.showsInterest(ctx) {
		return
	}
	c.shownInterest = content
	if err := workflow.UpsertMemo(ctx, map[string]any{CertificatesMemo: c.Interest.Certificates, EventsMemo: c.Interest.Events}); err != nil {
		workflow.GetLogger(ctx).Warn("events do not find the farm by its certificates: the memo is not set", "error", err)
	}
}

// encodeInterest returns what tells interests apart; empty where it cannot. JSON has the
// keys of maps in order.
//
//workflowcheck:ignore
func encodeInterest(i controller.Interest) string {
	content, err := json.Marshal(i)
	if err != nil {
		return ""
	}
	return string(content)
}

// showsInterest reports whether the run shows its interest. Since 2026-11-29. A run that
// was begun before begins to where its history ends, rather than with the next run, which
// may be months away: each time that there is something to show has a gate of its own,
// until one is open.
func (c *farmController) showsInterest(ctx workflow.Context) bool {
	if !c.interestShown && !c.legacy {
		c.interestAsked++
		gate := fmt.Sprintf("a controller shows its interest: %d", c.interestAsked)
		c.interestShown = workflow.GetVersion(ctx, gate, workflow.DefaultVersion, 1) == 1
	}
	return c.interestShown
}
