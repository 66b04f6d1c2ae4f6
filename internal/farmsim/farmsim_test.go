package farmsim_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farmsim"
)

func TestTheProcedureMakesEveryDataRefreshWork(t *testing.T) {
	t.Parallel()
	for _, sharePoint := range []string{"2016", "2019", "SE"} {
		for _, selfSigned := range []bool{false, true} {
			for _, trusting := range []bool{false, true} {
				name := fmt.Sprintf("SharePoint %s, self-signed %t, renewal %t", sharePoint, selfSigned, trusting)
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					sim := start(t, farmsim.Options{SharePoint: sharePoint, SelfSigned: selfSigned, Trusting: trusting, WithoutWire: true})
					o := newest(t, sim)
					if works := len(o.obstacles()) == 0; works != trusting {
						t.Fatalf("before the procedure, data refreshes work: %t, want %t: %q", works, trusting, o.obstacles())
					}
					o.rotate()
					if diff := cmp.Diff([]string(nil), o.obstacles()); diff != "" {
						t.Errorf("after the procedure something is in the way (-want +got):\n%s", diff)
					}
				})
			}
		}
	}
}
