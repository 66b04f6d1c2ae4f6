package farm_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// reportOf is of a rotation on so many servers.
func reportOf(servers int, detail string) farm.Report {
	r := farm.Report{Farm: "contoso", Outcome: farm.Verified, Target: "B", Previous: "A", Statement: "configured as desired"}
	for i := range servers {
		r.Servers = append(r.Servers, farm.ServerReport{Host: fmt.Sprintf("oos-%03d.contoso.com", i), Role: farm.OfficeRole, Steps: []farm.StepReport{
			{Step: farm.StepObserve, State: farm.StateObserved},
			{Step: farm.StepImport, State: farm.StateChanged, Changed: true, Detail: detail, Changes: []farm.Change{{Name: "certificate", Before: "absent", After: "present"}}},
			{Step: farm.StepGrant, State: farm.StateUnchanged, Detail: detail},
			{Step: farm.StepRestart, State: farm.StateFailed, Detail: detail},
		}})
		r.Differences = append(r.Differences, farm.Difference{Step: farm.StepRestart, Server: r.Servers[i].Host, Text: detail})
		r.Findings = append(r.Findings, farm.Finding{Server: r.Servers[i].Host, Text: detail})
	}
	return r
}

func sizeOf(t *testing.T, r farm.Report) int {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return len(text)
}

func TestReport_Compact(t *testing.T) {
	const limit = 16_000
	t.Run("a small farm's is whole", func(t *testing.T) {
		r := reportOf(7, "done")
		if diff := cmp.Diff(r, r.Compact(limit)); diff != "" {
			t.Error(diff)
		}
	})
	for _, servers := range []int{12, 30, 100, 200} {
		for _, detail := range []string{"done", strings.Repeat("long ", 300)} {
			t.Run(fmt.Sprintf("%d servers, details of %d bytes", servers, len(detail)), func(t *testing.T) {
				r := reportOf(servers, detail)
				before := reportOf(servers, detail)
				c := r.Compact(limit)
				if size := sizeOf(t, c); size > limit {
					t.Errorf("%d bytes", size)
				}
				if sizeOf(t, r) > limit && c.Shortened == "" {
					t.Error("does not say that it is shortened")
				}
				if c.Outcome != r.Outcome || c.Target != r.Target || len(c.Servers) == 0 && len(c.Done) == 0 {
					t.Errorf("lost what the report is about: %+v", c)
				}
				if slices.ContainsFunc(r.Servers, func(s farm.ServerReport) bool { return len(s.Steps) != 4 }) || !cmp.Equal(before, r) {
					t.Error("the report itself was changed")
				}
			})
		}
	}
}
