package docs

import (
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/connect"
	"github.com/farmtrust/farmtrust/internal/deployment"
	"github.com/farmtrust/farmtrust/workflows"
)

func TestPagesNameTheCommandsThatTheProgramsName(t *testing.T) {
	keys := workflows.SearchAttributes()
	for name, c := range map[string]struct{ page, command string }{
		"search attributes on a server":       {"temporal-cloud.md", connect.AddCommand("localhost:7233", "NAMESPACE", keys)},
		"search attributes in Temporal Cloud": {"temporal-cloud.md", connect.AddCommand("NAME.ACCOUNT.tmprl.cloud:7233", "NAME.ACCOUNT", keys)},
		"the current version":                 {"upgrading.md", deployment.Version{Name: "farmtrust", Build: "v1.4.0"}.SetCurrentCommand()},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(read(t, c.page), c.command+"\n") {
				t.Errorf("%s does not contain %s", c.page, c.command)
			}
		})
	}
}

func TestUpgradingNamesEveryWorkflowTypeInItsQuery(t *testing.T) {
	if query := "WorkflowType IN ('ManageFarm', 'RotateTrust', 'RetireCertificate', 'InspectTrust')"; !strings.Contains(read(t, "upgrading.md"), query) {
		t.Errorf("there is no %s", query)
	}
	for _, name := range workflows.Types() {
		if !strings.Contains(read(t, "upgrading.md"), "'"+name+"'") {
			t.Errorf("the query does not name %s", name)
		}
	}
}
