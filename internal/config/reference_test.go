package config_test

import (
	"cmp"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/config"
)

// reference is the document that operators read.
const reference = "../../docs/configuration.md"

// referenceRow matches a key of the reference with its default.
var referenceRow = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([^|]+) \\|")

func TestReference_Keys(t *testing.T) {
	children := map[string][]string{}
	for _, found := range referenceRow.FindAllStringSubmatch(readFile(t, reference), -1) {
		parent, key := "", found[1]
		if at := strings.LastIndex(key, "."); at >= 0 {
			parent, key = key[:at], key[at+1:]
		}
		children[parent] = append(children[parent], key)
	}
	if len(children) < 10 {
		t.Fatalf("only %d mappings found in %s", len(children), reference)
	}
	for parent, documented := range children {
		if parent == "connections" { // its keys are names
			continue
		}
		t.Run("keys of "+cmp.Or(parent, "the file"), func(t *testing.T) {
			slices.Sort(documented)
			if diff := gocmp.Diff(documented, requireAcceptedKeys(t, parent)); diff != "" {
				t.Errorf("keys (-documented +accepted):\n%s", diff)
			}
		})
	}
}

// requireAcceptedKeys returns the keys of a mapping, which the remedy for an unknown
// key lists.
func requireAcceptedKeys(t *testing.T, parent string) []string {
	t.Helper()
	content := "{unknownunknown: x}"
	for _, key := range slices.Backward(strings.FieldsFunc(parent, func(r rune) bool { return r == '.' })) {
		if name, isList := strings.CutSuffix(key, "[]"); isList {
			content = "{" + name + ": [" + content + "]}"
		} else {
			content = "{" + key + ": " + content + "}"
		}
	}
	_, err := config.Load(writeConfig(t, content))
	var problems config.Problems
	if !errors.As(err, &problems) {
		t.Fatalf("%s: %v", content, err)
	}
	const list = "the fields here are "
	for _, p := range problems {
		if strings.HasSuffix(p.Path, "unknownunknown") && strings.HasPrefix(p.Remedy, list) {
			return strings.Split(strings.TrimPrefix(p.Remedy, list), ", ")
		}
	}
	t.Fatalf("%s: no list of fields in\n%v", content, err)
	return nil
}

func TestReference_Defaults(t *testing.T) {
	documented := map[string]string{}
	for _, found := range referenceRow.FindAllStringSubmatch(readFile(t, reference), -1) {
		documented[found[1]] = strings.Trim(found[2], "` ")
	}
	want := requireLoad(t, writeConfig(t, strings.Replace(minimalConfig, "directory", "selfSigned", 1)))
	// With each documented default written out, the file must load to the same farm.
	const written = "    rotation: {atOnce: %rotation.atOnce, restartAtOnce: %rotation.restartAtOnce, approval: %rotation.approval, " +
		"onFailure: %rotation.onFailure, decisionTimeout: %rotation.decisionTimeout, approvalTimeout: %rotation.approvalTimeout, keepOldFor: %rotation.keepOldFor, inspectionInterval: %rotation.inspectionInterval, watchInterval: %rotation.watchInterval, healthyWithin: %rotation.healthyWithin, healthyFor: %rotation.healthyFor}\n"
	content := strings.NewReplacer(
		"directory: {", "selfSigned: {subject: %certificate.source.selfSigned.subject, validFor: %certificate.source.selfSigned.validFor, ",
		"      source:", "      name: %certificate.name\n      leadTime: %certificate.leadTime\n      exportable: %certificate.exportable\n      source:",
		"frontEnd: sp-01", "frontEnd: sp-01, issuerName: %sharePoint[].issuerName, runAs: %sharePoint[].runAs",
		"[oos-01]", "[oos-01], proveKeyAs: %office.proveKeyAs",
		"env:PASSWORD", "env:PASSWORD, allowUnverified: %allowUnverified",
		"connections:", written+"worker: {concurrentCalls: %worker.concurrentCalls}\nconnections:",
	).Replace(minimalConfig)
	content = regexp.MustCompile(`%[\w.\[\]]+`).ReplaceAllStringFunc(content, func(key string) string {
		switch key {
		case "%allowUnverified":
			return documented["connections.NAME.allowUnverified"]
		case "%worker.concurrentCalls":
			return documented["worker.concurrentCalls"]
		}
		return documented["farms[]."+key[1:]]
	})
	got := requireLoad(t, writeConfig(t, content))
	// Paths and secrets differ with the folder of the file.
	ignore := gocmp.FilterPath(func(p gocmp.Path) bool { return p.Last().String() == ".Path" || p.Last().String() == ".Password" }, gocmp.Ignore())
	if diff := gocmp.Diff(want, got, ignore); diff != "" {
		t.Errorf("farm (-default +as documented):\n%s", diff)
	}
}

func TestReference_Example(t *testing.T) {
	_, rest, _ := strings.Cut(readFile(t, reference), "```yaml\n")
	example, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("no example")
	}
	// The CA is where docker-compose.yml mounts it; writeConfig has it beside the file.
	example = strings.ReplaceAll(example, "certificates/ca.pem", "ca.pem")
	if warnings := requireLoad(t, writeConfig(t, example)).Warnings; len(warnings) > 0 {
		t.Errorf("the example warns: %v", warnings)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
