package workflows

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestThePageOfTheLargestFarmFitsWhateverFails(t *testing.T) {
	r, wait := farm.Report{Farm: "contoso"}, &Wait{For: ForDecision, Text: "decide"}
	for i := range 120 {
		host := fmt.Sprintf("oos-%03d.a-long-name-of-a-department.contoso.com", i)
		r.Servers = append(r.Servers, farm.ServerReport{Host: host, Steps: []farm.StepReport{{Step: farm.StepImport, State: farm.StateFailed}}})
		r.Findings = append(r.Findings, farm.Finding{Severity: farm.Warn, Server: host, Text: strings.Repeat("y", 300)})
		wait.Blocked = append(wait.Blocked, farm.Blocked{Server: host, Step: farm.StepImport, Text: strings.Repeat("\u00fc", 700), Then: "then the rotation is rolled back"})
	}
	page := details(Staging, r, wait)
	if len(page) > mostDetails {
		t.Errorf("the page has %d bytes, want %d at most", len(page), mostDetails)
	}
	for _, part := range []string{"**contoso**: staging", "**Waits for decision**", "oos-000", "and 100 more", "see starter status"} {
		if !strings.Contains(page, part) {
			t.Errorf("the page does not say %q:\n%s", part, page)
		}
	}
}
