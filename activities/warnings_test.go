package activities_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// warningServer warns in every script, before it ends with an error or not.
type warningServer struct{ err error }

// Run implements powershell.Runner.
func (s warningServer) Run(_ context.Context, _ powershell.Target, call powershell.Call, _ any) error {
	call.Warn("every machine in the farm must be restarted")
	return s.err
}

func TestInterceptors_Warnings(t *testing.T) {
	in := onOffice
	in.Target.FriendlyName = "OOS S2S"
	t.Run("are in the result of a step", func(t *testing.T) {
		a := &activities.Activities{Farms: testFarm{}, Now: time.Now, Remote: warningServer{}}
		var got activities.StepResult
		if err := execute(a, a.GrantKey, in, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"every machine in the farm must be restarted"}, got.Warnings); diff != "" {
			t.Errorf("warnings (-want +got):\n%s", diff)
		}
	})
	t.Run("leave other results and errors as they are", func(t *testing.T) {
		a := &activities.Activities{Farms: testFarm{}, Now: time.Now, Remote: warningServer{}}
		if got := observeSharePointServer(t, a); got.Machine.Host != "sp-01" {
			t.Errorf("observed %+v", got)
		}
		a.Remote = warningServer{&powershell.TransportError{Server: "oos-01", Kind: powershell.Interrupted, Err: errors.New("x")}}
		assertFails(t, a, a.GrantKey, in, failure{Type: "interrupted"}, "oos-01")
	})
}
