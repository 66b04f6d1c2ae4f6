package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/config"
)

// badConfig is an edit of minimalConfig, and the problems that an operator then reads.
type badConfig struct{ old, new, want string }

// secondFarm is another farm, with the connection of minimalConfig.
const secondFarm = `  - name: fabrikam
    office: {servers: [oos-11], connection: main}
    sharePoint:
      - {frontEnd: sp-11, connection: main, sites: [https://portal.fabrikam.com]}
    certificate:
      source: {directory: {path: pfx, password: file:pfx.txt}}
`

func TestLoad_Problems(t *testing.T) {
	assertProblems(t, map[string]badConfig{
		"unknown field, near a known one": {
			"servers: [oos-01]", "servers: [oos-01], allowOutboundHTTPs: true",
			"3: farms[0].office.allowOutboundHTTPs: unknown field: did you mean allowOutboundHttp?",
		},
		"unknown field, near nothing": {
			"  - name: contoso", "  - name: contoso\n    colour: blue",
			"3: farms[0].colour: unknown field: the fields here are certificate, name, office, rotation, sharePoint",
		},
		"key ring that is no file": {
			"farms:", "keys: {payloads: env:KEYS}\nfarms:",
			"1: keys.payloads: is not a file: write file:PATH of a key ring that farmtrust keys new has made",
		},
		"missing name":      {"name: contoso\n    office", "office", "2: farms[0].name: missing: name the farm"},
		"empty name":        {"name: contoso", "name: ''", "2: farms[0].name: must be a string, but is empty: write a string, with quotes around numbers and words such as true"},
		"key without value": {"name: contoso", "name:", "2: farms[0].name: is empty: give it a value or leave it out"},
		"number as a name": {
			"name: contoso", "name: 2016",
			"2: farms[0].name: must be a string, but is a number: write a string, with quotes around numbers and words such as true",
		},
		"name with a space at its end": {
			"name: contoso", "name: 'contoso '",
			"2: farms[0].name: has control characters, or spaces at its ends: remove them",
		},
		"name with a control character": {
			"name: contoso", `name: "con\u001btoso"`,
			"2: farms[0].name: has control characters, or spaces at its ends: remove them",
		},
		"name with a slash": {
			"name: contoso", "name: contoso/berlin",
			"2: farms[0].name: may contain only letters, digits, dots, dashes and underscores: write a name such as contoso-berlin",
		},
		"name over 50 characters": {
			"name: contoso", "name: " + strings.Repeat("x", 51),
			"2: farms[0].name: has 51 characters; at most 50 are allowed: choose a shorter one",
		},
		"issuer name that makes a name over 50 characters": {
			"frontEnd: sp-01", "frontEnd: sp-01, issuerName: " + strings.Repeat("x", 33),
			"5: farms[0].sharePoint[0].issuerName: has 33 characters; at most 32 are allowed: choose a shorter one",
		},
		"certificate name over 50 characters": {
			"      source:", "      name: " + strings.Repeat("ü", 51) + "\n      source:",
			"7: farms[0].certificate.name: has 51 characters; at most 50 are allowed: choose a shorter one",
		},
		"duplicate farm name": {
			"connections:", strings.Replace(secondFarm, "fabrikam", "Contoso", 1) + "connections:",
			"8: farms[1].name: farm Contoso is already on line 2: give each farm its own name",
		},
		"site with a slash": {
			"farms:", "site: emea/berlin\nfarms:",
			"1: site: may contain only letters, digits, dots, dashes and underscores: write a name such as berlin",
		},
		"metrics without a host and a port": {
			"farms:", "metrics: '9464'\nfarms:",
			`1: metrics: "9464" is not an address to listen on: write 127.0.0.1:9464, or another HOST:PORT`,
		},
		"no calls at once": {
			"farms:", "worker: {concurrentCalls: 0}\nfarms:",
			"1: worker.concurrentCalls: must be a whole number within bounds: write a number from 1 to 1000",
		},
		"no farms": {"farms:", "farms: []\nx:", "1: farms: is an empty list: name at least one\n2: x: unknown field: the fields here are approvers, audit, connections, farms, keys, listen, metrics, notify, pull, site, worker"},
		"office without servers": {
			"servers: [oos-01], ", "",
			"3: farms[0].office.servers: missing: name every machine of the Office Online Server farm",
		},
		"office with an empty list of servers": {
			"[oos-01]", "[]", "3: farms[0].office.servers: is an empty list: name at least one",
		},
		"servers that are not a list": {
			"[oos-01]", "oos-01", "3: farms[0].office.servers: must be a list, but is a single value: write [a, b] or one item per line, each after a dash",
		},
		"server with a port": {
			"[oos-01]", "['oos-01:5986']",
			`3: farms[0].office.servers[0]: "oos-01:5986" is not the name of a server: write a DNS name such as oos-01.contoso.com; a port goes under address`,
		},
		"server without host": {
			"[oos-01]", "[{address: '10.0.0.1:5986'}]", "3: farms[0].office.servers[0].host: missing: name the server",
		},
		"the same server twice": {
			"[oos-01]", "[oos-01, OOS-01]",
			"3: farms[0].office.servers[1]: the server OOS-01 is already on line 3: name the server in one place",
		},
		"an office server as front end": {
			"frontEnd: sp-01", "frontEnd: oos-01",
			"5: farms[0].sharePoint[0].frontEnd: oos-01 cannot be both an office server and a SharePoint server; it is also on line 3: name the server in one place",
		},
		"an office server of another farm": {
			"connections:", strings.Replace(secondFarm, "oos-11", "oos-01", 1) + "connections:",
			"9: farms[1].office.servers[0]: the server oos-01 is already on line 3: name the server in one place",
		},
		"one SharePoint farm under two OOS farms": {
			"connections:", strings.Replace(secondFarm, "sp-11", "sp-01", 1) + "connections:",
			"11: farms[1].sharePoint[0].frontEnd: the SharePoint farm of sp-01 is already under another farm, on line 5: keep it under one farm, and list a second Office Online Server farm for it under office.others of that farm: the two must share one S2S certificate",
		},
		"one SharePoint farm under two OOS farms, by another server": {
			"connections:", strings.Replace(secondFarm, "sp-11,", "sp-11, servers: [SP-01],", 1) + "connections:",
			"11: farms[1].sharePoint[0].servers[0]: the SharePoint farm of SP-01 is already under another farm, on line 5: keep it under one farm, and list a second Office Online Server farm for it under office.others of that farm: the two must share one S2S certificate",
		},
		"a SharePoint server listed twice": {
			"frontEnd: sp-01", "frontEnd: sp-01, servers: [sp-01, sp-02, sp-01]",
			"5: farms[0].sharePoint[0].servers[2]: the server sp-01 is already on line 5: name the server in one place",
		},
		"the front end described twice": {
			"frontEnd: sp-01", "frontEnd: sp-01, servers: [{host: sp-01, address: '10.0.0.1:1'}]",
			"5: farms[0].sharePoint[0].servers[0]: describes the front end differently from frontEnd: write its address and connection under frontEnd only",
		},
		"no front end": {
			"frontEnd: sp-01, ", "",
			"5: farms[0].sharePoint[0].frontEnd: missing: name the server that SharePoint cmdlets run on",
		},
		"no sites": {
			", sites: [https://portal.contoso.com]", "",
			"5: farms[0].sharePoint[0].sites: missing: name the top-level site collections that use Office Online Server",
		},
		"site that is not an absolute URL": {
			"[https://portal.contoso.com]", "[portal.contoso.com]",
			"5: farms[0].sharePoint[0].sites[0]: is not the URL of a site: write the full URL of a site collection, such as https://portal.contoso.com",
		},
		"site with another scheme": {
			"https://portal", "ftp://portal",
			"5: farms[0].sharePoint[0].sites[0]: is not the URL of a site: write the full URL of a site collection, such as https://portal.contoso.com",
		},
		"site with credentials": {
			"https://portal", "https://me:hunter2@portal",
			"5: farms[0].sharePoint[0].sites[0]: is not the URL of a site: write the full URL of a site collection, such as https://portal.contoso.com",
		},
		"site listed twice": {
			"[https://portal.contoso.com]", "[https://portal.contoso.com, https://Portal.contoso.com/]",
			"5: farms[0].sharePoint[0].sites[1]: https://Portal.contoso.com/ is listed twice: name each site once",
		},
		"unknown runAs": {
			"frontEnd: sp-01", "frontEnd: sp-01, runAs: system",
			`5: farms[0].sharePoint[0].runAs: unknown value "system": the choices are direct, task`,
		},
		"another office farm without a name": {
			"[oos-01]", "[oos-01], others: [{servers: [dr-01]}]",
			"3: farms[0].office.others[0].name: missing: name the office farm, such as dr",
		},
		"two other office farms of one name": {
			"[oos-01]", "[oos-01], others: [{name: dr, servers: [dr-01]}, {name: DR, servers: [dr-02]}]",
			"3: farms[0].office.others[1].name: there is another office farm DR: give each office farm its own name",
		},
		"an office server in two office farms": {
			"[oos-01]", "[oos-01], others: [{name: dr, servers: [OOS-01]}]",
			"3: farms[0].office.others[0].servers[0]: the server OOS-01 is already on line 3: name the server in one place",
		},
		"other office farms of another office farm": {
			"[oos-01]", "[oos-01], others: [{name: dr, servers: [dr-01], others: []}]",
			"3: farms[0].office.others[0].others: unknown field: the fields here are allowHttpSecureStoreConnections, allowOutboundHttp, connection, name, proveKeyAs, servers",
		},
		"unknown way to prove the key": {
			"[oos-01]", "[oos-01], proveKeyAs: admin",
			`3: farms[0].office.proveKeyAs: unknown value "admin": the choices are networkService, administrator`,
		},
		"HTTP setting that is not a boolean": {
			"[oos-01]", "[oos-01], allowOutboundHttp: yes",
			"3: farms[0].office.allowOutboundHttp: must be true or false, but is a single value: write true or false",
		},
		"no source": {
			"directory: {path: pfx, password: file:pfx.txt}", "",
			"7: farms[0].certificate.source: must name one source: write directory or selfSigned below it",
		},
		"two sources": {
			"{directory: {", "{selfSigned: {path: own, password: env:X}, directory: {",
			"7: farms[0].certificate.source: must name one source: write directory or selfSigned below it",
		},
		"source without a password": {
			", password: file:pfx.txt", "",
			"7: farms[0].certificate.source.directory.password: missing: name the secret that opens the PFX files: file:/path or env:NAME",
		},
		"password in the file": {
			"password: file:pfx.txt", "password: hunter2",
			"7: farms[0].certificate.source.directory.password: is not the name of a secret: keep the secret outside this file and name it: file:/path or env:NAME",
		},
		"subject with CN=": {
			"directory: {", "selfSigned: {subject: CN=OOS, ",
			"7: farms[0].certificate.source.selfSigned.subject: must be a common name: write the name alone: OOS S2S, not CN=OOS S2S",
		},
		"valid for no longer than the lead time": {
			"directory: {", "selfSigned: {validFor: 30d, ",
			"7: farms[0].certificate: certificates would be valid for no longer than the lead time: make validFor longer than leadTime",
		},
		"self-signed folder used by two farms": {
			"directory: {path: pfx, password: file:pfx.txt}}\nconnections:",
			"selfSigned: {path: pfx, password: file:pfx.txt}}\n" + strings.Replace(secondFarm, "directory", "selfSigned", 1) + "connections:",
			"13: farms[1].certificate: the folder of its certificates is already used on line 7: give each farm a folder of its own",
		},
		"lead time that is not a duration": {
			"      source:", "      leadTime: a month\n      source:",
			`7: farms[0].certificate.leadTime: "a month" is not a positive duration: write a duration such as 30d, 12h or 90m`,
		},
		"negative lead time": {
			"      source:", "      leadTime: -30d\n      source:",
			`7: farms[0].certificate.leadTime: "-30d" is not a positive duration: write a duration such as 30d, 12h or 90m`,
		},
		"lead time too long to represent": {
			"      source:", "      leadTime: 106752d\n      source:",
			`7: farms[0].certificate.leadTime: "106752d" is not a positive duration: write a duration such as 30d, 12h or 90m`,
		},
		"event match that matches everything": {
			"      source:", "      events: [{}]\n      source:",
			"7: farms[0].certificate.events[0]: would match every event: write vault, certificate, thumbprint, source or another of its keys",
		},
		"event matches that no certificate has": {
			"      source:", "      events: [{thumbprint: a9, serial: x, subject: OOS, labels: {}}]\n      source:",
			"7: farms[0].certificate.events[0].thumbprint: is not 40 or 64 hexadecimal digits: write the certificate's SHA-1 or SHA-256 thumbprint\n" +
				"7: farms[0].certificate.events[0].serial: is not a serial number: write it as it is shown, in quotes: '0x1D2C' or '7468'\n" +
				"7: farms[0].certificate.events[0].subject: is not a distinguished name: write the whole name, such as CN=OOS S2S, O=Contoso; for a common name alone, write name\n" +
				"7: farms[0].certificate.events[0].labels: names no label: write the labels that an event must have, or leave labels out",
		},
		"key written twice": {
			"user: svc", "user: svc, user: svc2",
			"9: connections.main.user: written twice: keep one; the first is on line 9",
		},
		"key that is not a word": {
			"user: svc", "user: svc, [a]: b", "9: connections.main: a key that is not a plain word: write the fields out",
		},
		"merge key": {
			"user: svc@contoso.com", "user: svc@contoso.com, <<: {user: a}", "9: connections.main: a key that is not a plain word: write the fields out",
		},
		"alias": {
			"servers: [oos-01]", "servers: &list [oos-01], others: [{name: *list, servers: [dr-01]}]",
			"3: farms[0].office.others[0].name: must be a string, but is an alias, which is not supported here: write a string, with quotes around numbers and words such as true",
		},
		"second document": {
			"env:PASSWORD}\n", "env:PASSWORD}\n---\nfarms: []\n",
			"10: a second document begins here: keep one document in the file, without ---",
		},
		"site with a blank": {
			"https://portal.contoso.com", "https://portal.contoso.com/my site",
			"5: farms[0].sharePoint[0].sites[0]: has a blank: write %20 for a blank",
		},
		"address in place of a server's name": {
			"[oos-01]", "[10.1.1.3]",
			"3: farms[0].office.servers[0]: 10.1.1.3 is an address, and not the name of a server: write {host: NAME, address: '10.1.1.3:5986'}, with the name in the server's WinRM certificate",
		},
		"connection not defined, of several servers": {
			"servers: [oos-01], connection: main", "servers: [oos-01, oos-02, oos-03], connection: mian",
			"3: farms[0].office.servers[0]: the connection mian of oos-01 and of 2 other servers is not defined: did you mean main?",
		},
		"tab in place of spaces": {
			"connections:", "\tconnections:", "8: invalid YAML: found character that cannot start any token: indent with spaces, not with tabs, and put quotes around a value that begins with @ or `, at or just above this line",
		},
		"backslash in double quotes": {
			"user: svc@contoso.com", `user: "CONTOSO\svc"`, "9: invalid YAML: found unknown escape character: a backslash in double quotes begins an escape: write CONTOSO\\svc-oos without quotes, at or just above this line",
		},
		"invalid YAML": {
			"connections:", "connections: [", "7: invalid YAML: did not find expected ',' or ']': correct the syntax at or just above this line",
		},
		"password that reads as an alias": {
			"env:PASSWORD", "*hunter2", "1: invalid YAML: unknown anchor referenced: correct the syntax at or just above this line",
		},
	})
}

// assertProblems fails unless each edit of minimalConfig is refused with exactly the
// problems that are wanted.
func assertProblems(t *testing.T, configs map[string]badConfig) {
	t.Helper()
	for name, c := range configs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(minimalConfig, c.old) {
				t.Fatalf("minimalConfig does not contain %q", c.old)
			}
			if diff := cmp.Diff(c.want, requireProblems(t, strings.Replace(minimalConfig, c.old, c.new, 1))); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoad_WholeFileProblems(t *testing.T) {
	const empty = "1: the file is empty: write farms and connections; docs/configuration.md has an example"
	for _, c := range []struct{ name, content, want string }{
		{"empty file", "", empty},
		{"file with only a comment", "# nothing\n", empty},
		{"file with only a byte order mark", "\xff\xfe", empty},
		{"list", "- a\n", "1: must be a mapping, but is a list: write these fields below it: approvers, audit, connections, farms, keys, listen, metrics, notify, pull, site, worker"},
		{"single word", "farms", "1: must be a mapping, but is a single value: write these fields below it: approvers, audit, connections, farms, keys, listen, metrics, notify, pull, site, worker"},
		{"empty mapping", "{}", "1: connections: missing: define how to connect to the servers\n1: farms: missing: name at least one farm"},
		{"control character", "a: \x01", "1: invalid YAML: control characters are not allowed: correct the syntax at or just above this line"},
		{"file over 1 MiB", strings.Repeat(" ", config.MaxSize+1), "1: the file is larger than 1 MiB: split it into one file per worker"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, requireProblems(t, c.content)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoad_AllProblemsAtOnce(t *testing.T) {
	content := strings.NewReplacer("name: contoso", "nme: contoso", "oos-01", "oos 01", "ntlm", "kerberos").Replace(minimalConfig)
	want := "2: farms[0].nme: unknown field: did you mean name?\n" +
		"2: farms[0].name: missing: name the farm\n" +
		`3: farms[0].office.servers[0]: "oos 01" is not the name of a server: write a DNS name such as oos-01.contoso.com; a port goes under address` + "\n" +
		"9: connections.main.auth: kerberos is not supported in this version: use ntlm; kerberos comes in a later version"
	if diff := cmp.Diff(want, requireProblems(t, content)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// requireProblems loads content, which must be refused, and returns the problems, one
// a line, without the name of the file.
func requireProblems(t *testing.T, content string) string {
	t.Helper()
	path := writeConfig(t, content)
	_, err := config.Load(path)
	var problems config.Problems
	if !errors.As(err, &problems) {
		t.Fatalf("Load: %v, want problems", err)
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if !strings.HasPrefix(line, path+":") {
			t.Errorf("%q does not begin with the name of the file", line)
		}
	}
	return strings.Join(describeProblems(path, problems), "\n")
}
