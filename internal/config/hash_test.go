package config_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/config"
)

func TestConfig_Hash(t *testing.T) {
	twoFarms := strings.Replace(minimalConfig, "connections:", secondFarm+"connections:", 1)
	twoFarms = strings.Replace(twoFarms, "connections:", "connections:\n  edge: {auth: ntlm, user: svc, password: file:edge.txt, ca: ca.pem}", 1)
	twoFarms = strings.Replace(twoFarms, "[oos-11], connection: main", "[oos-11], connection: edge", 1)
	hashes := func(content string) (all, contoso string) {
		c := requireLoad(t, writeConfig(t, content))
		return c.Hash(), c.HashFarm(c.Farms[0])
	}
	all, contoso := hashes(twoFarms)
	if !regexp.MustCompile(`^[0-9a-f]{12}$`).MatchString(all) {
		t.Errorf("the hash is %q, want 12 hexadecimal digits", all)
	}
	for name, c := range map[string]struct {
		old, new        string
		all, ofTheFirst bool // whether the hashes of all and of contoso change
	}{
		"another folder":                   {"", "", false, false}, // each call writes the file into a new one
		"a comment":                        {"farms:", "farms: # ours", false, false},
		"a default written out":            {"      source:", "      leadTime: 30d\n      source:", false, false},
		"the site and how much at once":    {"farms:", "site: berlin\nworker: {concurrentCalls: 5}\nfarms:", false, false},
		"a server":                         {"[oos-01]", "[oos-01, oos-02]", true, true},
		"a policy":                         {"      source:", "      leadTime: 20d\n      source:", true, true},
		"the source of its certificates":   {"path: pfx", "path: certificates", true, true},
		"the account of its connection":    {"user: svc@contoso.com, password: env:PASSWORD", "user: svc2@contoso.com, password: env:PASSWORD", true, true},
		"a server of another farm":         {"[oos-11]", "[oos-11, oos-12]", true, false},
		"the CA of another connection":     {"ca: ca.pem", "allowUnverified: true", true, false},
		"the secret of another connection": {"file:edge.txt", "file:other.txt", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			gotAll, gotContoso := hashes(strings.Replace(twoFarms, c.old, c.new, 1))
			if (gotAll != all) != c.all {
				t.Errorf("hash %s, was %s; want changed %t", gotAll, all, c.all)
			}
			if (gotContoso != contoso) != c.ofTheFirst {
				t.Errorf("hash of contoso %s, was %s; want changed %t", gotContoso, contoso, c.ofTheFirst)
			}
		})
	}
}

func TestConfig_HashDoesNotReadSecrets(t *testing.T) {
	t.Setenv("PASSWORD", "one")
	path := writeConfig(t, minimalConfig)
	before := requireLoad(t, path).Hash()
	t.Setenv("PASSWORD", "two")
	if after := requireLoad(t, path).Hash(); after != before {
		t.Errorf("hash %s, was %s before the password changed", after, before)
	}
	if (&config.Config{}).Hash() == before {
		t.Error("an empty configuration has the same hash")
	}
}
