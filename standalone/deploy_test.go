package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/workflows"
)

func TestDeploy_ComposeJobCreatesEverySearchAttribute(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("../deploy/temporal/namespace.sh")
	if err != nil {
		t.Fatal(err)
	}
	keys := workflows.SearchAttributes()
	for _, k := range keys {
		if flags := fmt.Sprintf("--name %s --type %s", k.GetName(), k.GetValueType()); !strings.Contains(string(script), flags) {
			t.Errorf("namespace.sh does not contain %q", flags)
		}
	}
	if got := strings.Count(string(script), "--type"); got != len(keys) {
		t.Errorf("namespace.sh creates %d search attributes, want %d", got, len(keys))
	}
}
