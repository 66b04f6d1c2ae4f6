package host_test

import (
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/host"
)

func TestInspect_AStalePasswordLocksNoAccount(t *testing.T) {
	sim, err := farmsim.Start(t.Context(), farmsim.Options{Dir: t.TempDir(), OfficeServers: 20, LockAfter: 5})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	}()
	c, err := config.Load(sim.Config())
	if err != nil {
		t.Fatal(err)
	}
	inspector, err := host.NewInspector(c, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer inspector.Close()
	sim.SetPassword("changed in the domain")
	for range 3 {
		found, err := inspector.Inspect(t.Context(), farmsim.FarmName)
		if err != nil {
			t.Fatal(err)
		}
		problems := 0
		for _, s := range found.Servers {
			if strings.Contains(s.Problem, "1 attempt was made") {
				problems++
			}
		}
		if problems != 22 {
			t.Errorf("%d of 22 servers say how many attempts were made, the first one: %s", problems, found.Servers[0].Problem)
		}
	}
	if got := sim.Logons(); got != (farmsim.Logons{Refused: 1}) {
		t.Errorf("the account's logons: %+v, want one that was refused, and no lock", got)
	}
}
