package config_test

import "testing"

func TestLoad_ConnectionProblems(t *testing.T) {
	assertProblems(t, map[string]badConfig{
		"address without port": {
			"[oos-01]", "[{host: oos-01, address: 10.0.0.1}]",
			`3: farms[0].office.servers[0].address: "10.0.0.1" is not an address: write host:port, such as 10.0.0.7:5986`,
		},
		"address with a port out of range": {
			"[oos-01]", "[{host: oos-01, address: '10.0.0.1:65536'}]",
			`3: farms[0].office.servers[0].address: "10.0.0.1:65536" is not an address: write host:port, such as 10.0.0.7:5986`,
		},
		"two servers at one address": {
			"[oos-01]", "[{host: oos-01, address: 'lb:1'}, {host: oos-02, address: 'lb:1'}]",
			"3: farms[0].office.servers[1]: oos-02 has the address of oos-01 on line 3: give each server its own address",
		},
		"SharePoint cmdlets over basic": {
			"auth: ntlm", "auth: basic",
			"5: farms[0].sharePoint[0].frontEnd: basic works for local accounts only, which cannot run SharePoint cmdlets against SQL Server: use a connection with auth: ntlm, or runAs: task",
		},
		"connection not defined": {
			"servers: [oos-01], connection: main", "servers: [oos-01], connection: mian",
			"3: farms[0].office.servers[0]: the connection mian of oos-01 is not defined: did you mean main?",
		},
		"no connection": {
			"servers: [oos-01], connection: main", "servers: [oos-01]",
			"3: farms[0].office.servers[0]: no connection for oos-01: write connection: NAME for the server or for all servers beside it",
		},
		"kerberos": {
			"auth: ntlm", "auth: kerberos",
			"9: connections.main.auth: kerberos is not supported in this version: use ntlm; kerberos comes in a later version",
		},
		"list of connections": {
			"  main: {auth: ntlm", "  - {auth: ntlm",
			"9: connections: must be a mapping, but is a list: write each connection's name with its fields below it",
		},
		"connection without password": {
			", password: env:PASSWORD", "", "9: connections.main.password: missing: name the secret: file:/path or env:NAME",
		},
		"CA without verification": {
			"user: svc@contoso.com", "user: svc@contoso.com, ca: ca.pem, allowUnverified: true",
			"9: connections.main: has both ca and allowUnverified: keep one of them",
		},
		"a password without verification": {
			"auth: ntlm, user: svc@contoso.com", "auth: basic, user: svc, allowUnverified: true",
			"5: farms[0].sharePoint[0].frontEnd: basic works for local accounts only, which cannot run SharePoint cmdlets against SQL Server: use a connection with auth: ntlm, or runAs: task\n" +
				"9: connections.main: has both auth: basic and allowUnverified: anybody who answers would be sent the password: name the CA under ca, or use auth: ntlm, which does not send the password",
		},
	})
}
