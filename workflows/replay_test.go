package workflows_test

import (
	"path/filepath"
	"testing"

	"go.temporal.io/sdk/worker"

	"github.com/farmtrust/farmtrust/workflows"
)

// The histories were recorded on a real Temporal server, by the test of that
// name in standalone with -record. They stay when new ones are added: rotations
// that were begun by an older version must go on with a newer one.
func TestRecordedHistoriesReplay(t *testing.T) {
	files, err := filepath.Glob("testdata/histories/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded histories: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			replayer := worker.NewWorkflowReplayer()
			replayer.RegisterWorkflow(workflows.RotateTrust)
			replayer.RegisterWorkflow(workflows.InspectTrust)
			replayer.RegisterWorkflow(workflows.ManageFarm)
			replayer.RegisterWorkflow(workflows.RetireCertificate)
			if err := replayer.ReplayWorkflowHistoryFromJSONFile(nil, file); err != nil {
				t.Error(err)
			}
		})
	}
}
