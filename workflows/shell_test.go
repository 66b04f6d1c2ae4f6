package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/console"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/workflows"
)

// check is what `starter check` prints of the farm, on as few spaces as
// possible.
func (p *place) check(t *testing.T) string {
	t.Helper()
	env := p.environment(t)
	env.ExecuteWorkflow(workflows.InspectTrust, workflows.InspectInput{Farm: farmsim.FarmName})
	var found farm.Inspection
	if err := env.GetWorkflowResult(&found); err != nil {
		t.Fatal(err)
	}
	var page strings.Builder
	if err := console.Check(&page, found, time.Now()); err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(page.String()), " ")
}

func TestCheckSaysWhatIsWrongWithARemoteShellAndWhatToDo(t *testing.T) {
	for claim, c := range map[string]struct {
		host  string
		shell farmsim.Shell
		want  []string
	}{
		"constrained language mode": {
			"oos-02.contoso.com",
			farmsim.Shell{LanguageMode: "ConstrainedLanguage"},
			[]string{`PowerShell runs in language mode "ConstrainedLanguage"`, "let the connection's account run PowerShell in full language mode"},
		},
		"32-bit PowerShell": {
			"sp-01.contoso.com",
			farmsim.Shell{Bits32: true},
			[]string{"PowerShell runs as a 32-bit process", "remove the 32-bit configuration of the remote shell"},
		},
		"filtered token of an office server": {
			"oos-02.contoso.com",
			farmsim.Shell{Filtered: true},
			[]string{"oos-02.contoso.com yes NOT ELEVATED", "LocalAccountTokenFilterPolicy"},
		},
		"filtered token of a SharePoint server": {
			"sp-02.contoso.com",
			farmsim.Shell{Filtered: true},
			[]string{"sp-02.contoso.com yes NOT ELEVATED", "LocalAccountTokenFilterPolicy"},
		},
		"filtered token of a front end": {
			"sp-01.contoso.com",
			farmsim.Shell{Filtered: true},
			[]string{"without administrator rights", "LocalAccountTokenFilterPolicy"},
		},
		"FIPS policy of an office server": {
			"oos-01.contoso.com",
			farmsim.Shell{FIPS: true},
			[]string{"FIPS policy", "is not documented", "take the server out of the policy"},
		},
		"FIPS policy of a SharePoint server": {
			"sp-02.contoso.com",
			farmsim.Shell{FIPS: true},
			[]string{"which SharePoint Server does not support", "take the server out of the policy"},
		},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, farmsim.Options{Shells: map[string]farmsim.Shell{c.host: c.shell}})
			said := p.check(t)
			for _, want := range append(c.want, c.host) {
				if !strings.Contains(said, want) {
					t.Errorf("check does not say %q:\n%s", want, said)
				}
			}
		})
	}
}

func TestCheckIsSilentAboutARemoteShellThatIsAsItShouldBe(t *testing.T) {
	said := newPlace(t, farmsim.Options{}).check(t)
	for _, word := range []string{"FIPS", "ELEVATED", "32-bit", "language mode"} {
		if strings.Contains(said, word) {
			t.Errorf("check says %q without reason:\n%s", word, said)
		}
	}
}
