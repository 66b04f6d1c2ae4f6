package host

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/keyring"
)

func TestRun_EndsWhenTheSDKGivesUp(t *testing.T) {
	for name, refusal := range map[string]error{
		"the namespace is gone": serviceerror.NewNamespaceNotFound("default"),
		"the poll is not valid": serviceerror.NewInvalidArgument("no such task queue"),
		"the client is too old": serviceerror.NewClientVersionNotSupported("1", "temporal-go", "2"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeFrontend{}
				c := f.dial(t)
				f.fail("PollWorkflowTaskQueue", refusal)
				f.fail("PollActivityTaskQueue", refusal)
				began := time.Now()
				err := Run(t.Context(), Options{Config: configWith(), Client: c, Namespace: "default", SealKeys: keyring.Generated(), Log: zap.NewNop()})
				var givenUp *GivenUpError
				if !errors.As(err, &givenUp) || !strings.Contains(err.Error(), refusal.Error()) {
					t.Fatalf("Run returned %v, want that the SDK gave up because of %v", err, refusal)
				}
				if took := time.Since(began); took > 10*time.Minute {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}
