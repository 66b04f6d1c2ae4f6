package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/sshsig"
)

// Two public keys of persons.
const (
	adaKey  = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsnFBmNVeS8rg9zVkN3zfpUK9KngQrsKbnnaYaii0+O"
	brunKey = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBE1de/voQC6lElVFLW3kxrhPAHbhuofnAX46nnO0/4HGgiKITTkDmBPMqcWWmkjRDcKVqYPlC8jRrl22+sFqA7k="
)

const approvers = `approvers:
  identityProvider: {issuer: "https://login.contoso.com/realms/it", audience: farmtrust, claim: oid}
  people:
    - {name: Ada Lovelace, keys: [` + adaKey + ` ada@desk], may: [approve, rollback], farms: [contoso]}
    - {name: Brun, keys: [` + brunKey + `], subject: 7c1f}
`

func TestLoad_Approvers(t *testing.T) {
	t.Run("who may decide what", func(t *testing.T) {
		c := requireLoad(t, writeConfig(t, minimalConfig+approvers))
		key := func(line string) []sshsig.Key {
			k, err := sshsig.ParseKey(line)
			if err != nil {
				t.Fatal(err)
			}
			return []sshsig.Key{k}
		}
		want := &config.Approvers{
			People: []config.Person{
				{Name: "Ada Lovelace", Keys: key(adaKey), May: []farm.Right{farm.RightApprove, farm.RightRollback}, Farms: []string{"contoso"}},
				{Name: "Brun", Keys: key(brunKey), Subject: "7c1f", May: farm.Rights()},
			},
			Provider: &config.IdentityProvider{Issuer: "https://login.contoso.com/realms/it", Audience: "farmtrust", Claim: "oid"},
		}
		if diff := cmp.Diff(want, c.Approvers); diff != "" {
			t.Error(diff)
		}
		if ada := c.Approvers.People[0]; !ada.MayDecide(farm.RightApprove, "contoso") || ada.MayDecide(farm.RightApprove, "fabrikam") || ada.MayDecide(farm.RightSkip, "contoso") {
			t.Errorf("%+v may what was not configured", ada)
		}
	})

	t.Run("other approvers are another configuration", func(t *testing.T) {
		without := requireLoad(t, writeConfig(t, minimalConfig))
		with := requireLoad(t, writeConfig(t, minimalConfig+approvers))
		otherKey := requireLoad(t, writeConfig(t, minimalConfig+strings.Replace(approvers, brunKey, adaKey2, 1)))
		if hashes := []string{without.Hash(), with.Hash(), otherKey.Hash()}; hashes[0] == hashes[1] || hashes[1] == hashes[2] {
			t.Errorf("the hashes are %v", hashes)
		}
	})

	const (
		ada  = "approvers: {people: [{name: Ada, keys: [" + adaKey + "]}]}\n"
		line = "connections:\n"
	)
	four := func(policy, rest string) badConfig {
		return badConfig{"connections:", "    rotation: {" + policy + "}\n" + rest + "connections:", ""}
	}
	want := func(b badConfig, text string) badConfig { b.want = text; return b }
	assertProblems(t, map[string]badConfig{
		"nobody":               {line, "approvers: {people: []}\n" + line, "8: approvers.people: is an empty list: name at least one\n8: approvers: nobody may approve a cutover of contoso: let a person approve, or write approval: none for the farm"},
		"nothing proves it":    {line, "approvers: {people: [{name: Ada}]}\n" + line, "8: approvers.people[0]: nothing can prove that somebody is Ada: give keys, the lines of the person's .pub files, or subject, as the identity provider has it"},
		"no provider":          {line, "approvers: {people: [{name: Ada, subject: x}]}\n" + line, "8: approvers.people[0].subject: there is no identity provider that calls anybody so: write identityProvider under approvers, or give the person keys"},
		"no key":               {line, "approvers: {people: [{name: Ada, keys: [ssh-ed25519]}]}\n" + line, "8: approvers.people[0].keys[0]: it is not one line of a public key file, which begins as ssh-ed25519 AAAA does: write the line of the person's .pub file"},
		"an unknown right":     {line, strings.Replace(ada, "Ada,", "Ada, may: [approve, delet],", 1) + line, "8: approvers.people[0].may[1]: unknown value \"delet\": did you mean delete?"},
		"an unknown farm":      {line, "approvers: {people: [{name: Ada, farms: [contosso], keys: [" + adaKey + "]}, {name: Brun, keys: [" + brunKey + "]}]}\n" + line, "8: approvers.people[0].farms[0]: there is no farm contosso: name a farm of this file"},
		"one key, two persons": {line, "approvers: {people: [{name: Ada, keys: [" + adaKey + "]}, {name: Brun, keys: [" + adaKey + " again]}]}\n" + line, "8: approvers.people[1]: Brun has a key of Ada: give each person a key of their own"},
		"one person twice":     {line, "approvers: {people: [{name: Ada, keys: [" + adaKey + "]}, {name: ADA, keys: [" + brunKey + "]}]}\n" + line, "8: approvers.people[1]: ADA is there twice: give each person one entry"},
		"http":                 {line, "approvers: {identityProvider: {issuer: \"http://x\", audience: y}, people: [{name: Ada, subject: x}]}\n" + line, "8: approvers.identityProvider.issuer: is not the https URL of an identity provider: write a URL such as https://login.contoso.com/realms/it"},
		"nobody may approve":   {line, strings.Replace(ada, "Ada,", "Ada, may: [skip],", 1) + line, "8: approvers: nobody may approve a cutover of contoso: let a person approve, or write approval: none for the farm"},
		"four eyes of nobody":  want(four("fourEyes: true", ""), "8: farms[0].rotation.fourEyes: nothing proves who asks and who approves: write approvers"),
		"four eyes of one":     want(four("fourEyes: true", ada), "8: farms[0].rotation.fourEyes: it takes two persons who may approve, and 1 may: let another person approve"),
		"four eyes, no approval": want(four("fourEyes: true, approval: none", strings.Replace(ada, "}]}", "}, {name: Brun, keys: ["+brunKey+"]}]}", 1)),
			"8: farms[0].rotation.fourEyes: nobody is asked to approve: write approval: required"),
	})
}

const adaKey2 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICWhXh7Oenwx1VDjlDTSV81fsauiVsM8Z1diZaXqZubQ"
