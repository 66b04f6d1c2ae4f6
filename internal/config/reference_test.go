package config_test

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/config"
)

// reference is the document that people read.
const reference = "../../docs/configuration.md"

// row is a key of the reference with its default.
var row = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([^|]+) \\|")

func TestTheReferenceListsTheKeysThatTheFileMayHave(t *testing.T) {
	children := map[string][]string{}
	for _, found := range row.FindAllStringSubmatch(read(t, reference), -1) {
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
		slices.Sort(documented)
		if diff := cmp.Diff(documented, accepted(t, parent)); diff != "" {
			t.Errorf("%q: -documented +accepted:\n%s", parent, diff)
		}
	}
}

// accepted asks for the keys of a mapping by writing one that is unknown there.
func accepted(t *testing.T, parent string) []string {
	t.Helper()
	content := "{unknownunknown: x}"
	for _, key := range slices.Backward(strings.FieldsFunc(parent, func(r rune) bool { return r == '.' })) {
		if name, isList := strings.CutSuffix(key, "[]"); isList {
			content = "{" + name + ": [" + content + "]}"
		} else {
			content = "{" + key + ": " + content + "}"
		}
	}
	_, err := config.Load(file(t, content))
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

func TestTheReferenceTellsTheDefaults(t *testing.T) {
	documented := map[string]string{}
	for _, found := range row.FindAllStringSubmatch(read(t, reference), -1) {
		documented[found[1]] = strings.Trim(found[2], "` ")
	}
	loaded, err := config.Load(file(t, strings.Replace(smallest, "directory", "selfSigned", 1)))
	if err != nil {
		t.Fatal(err)
	}
	// Each default, written out, must load to the same farm.
	const written = "    rotation: {atOnce: %rotation.atOnce, restartAtOnce: %rotation.restartAtOnce, approval: %rotation.approval, " +
		"onFailure: %rotation.onFailure, decisionTimeout: %rotation.decisionTimeout, keepOldFor: %rotation.keepOldFor, inspectionInterval: %rotation.inspectionInterval}\n"
	content := strings.NewReplacer(
		"directory: {", "selfSigned: {subject: %certificate.source.selfSigned.subject, validFor: %certificate.source.selfSigned.validFor, ",
		"      source:", "      name: %certificate.name\n      leadTime: %certificate.leadTime\n      exportable: %certificate.exportable\n      source:",
		"frontEnd: sp-01", "frontEnd: sp-01, issuerName: %sharePoint[].issuerName, runAs: %sharePoint[].runAs",
		"[oos-01]", "[oos-01], proveKeyAs: %office.proveKeyAs",
		"env:PASSWORD", "env:PASSWORD, allowUnverified: %allowUnverified",
		"connections:", written+"connections:",
	).Replace(smallest)
	content = regexp.MustCompile(`%[\w.\[\]]+`).ReplaceAllStringFunc(content, func(key string) string {
		if key == "%allowUnverified" {
			return documented["connections.NAME.allowUnverified"]
		}
		return documented["farms[]."+key[1:]]
	})
	again, err := config.Load(file(t, content))
	if err != nil {
		t.Fatal(err)
	}
	ignore := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Path" || p.Last().String() == ".Password" }, cmp.Ignore())
	if diff := cmp.Diff(loaded, again, ignore); diff != "" {
		t.Errorf("-default +as documented:\n%s", diff)
	}
}

func TestTheExampleOfTheReferenceLoads(t *testing.T) {
	_, rest, _ := strings.Cut(read(t, reference), "```yaml\n")
	example, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("no example")
	}
	loaded, err := config.Load(file(t, example))
	if err != nil {
		t.Fatal(err)
	}
	if len(loaded.Warnings) > 0 {
		t.Errorf("the example warns: %v", loaded.Warnings)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
