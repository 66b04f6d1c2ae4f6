package config_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/secret"
)

// minimalConfig has only the keys that are required.
const minimalConfig = `farms:
  - name: contoso
    office: {servers: [oos-01], connection: main}
    sharePoint:
      - {frontEnd: sp-01, connection: main, sites: [https://portal.contoso.com]}
    certificate:
      source: {directory: {path: pfx, password: file:pfx.txt}}
connections:
  main: {auth: ntlm, user: svc@contoso.com, password: env:PASSWORD}
`

// fullConfig sets each key to something other than its default.
const fullConfig = `farms:
  - name: contoso
    office:
      servers:
        - oos-01.contoso.com
        - {host: oos-02.contoso.com, address: "10.0.0.2:15986", connection: other}
      connection: office
      allowOutboundHttp: false
      allowHttpSecureStoreConnections: true
      proveKeyAs: administrator
    sharePoint:
      - frontEnd: {host: sp-01.contoso.com, address: "10.0.1.1:5986"}
        servers: [sp-02.contoso.com, {host: sp-03.contoso.com, connection: other}, SP-01.contoso.com]
        connection: sharepoint
        sites: [https://portal.contoso.com, http://old.contoso.com:8080/sites/a]
        issuerName: Online
        runAs: direct
      - {frontEnd: {host: sp-11, connection: office}, sites: [https://team.contoso.com], runAs: task}
    certificate:
      name: Online S2S
      source: {selfSigned: {path: /var/lib/pfx, password: file:/run/pfx, subject: Online, validFor: 90d}}
      leadTime: 14d12h
      exportable: true
      events:
        - {vault: contoso-vault, certificate: s2s}
        - {certificate: s2s-old}
        - {arn: 'arn:aws:acm:eu-central-1:1:certificate/c', thumbprint: 'a9:99:3e:36:47:06:81:6a:ba:3e:25:71:78:50:c2:6c:9c:d0:d8:9d', serial: '123'}
        - {subject: 'CN=OOS S2S, O=Contoso', name: oos.contoso.com, source: prometheus, labels: {job: oos}}
    rotation: {atOnce: 20, restartAtOnce: 2, approval: required, window: "Sat,Sun 22:00-04:30 Europe/Zurich", onFailure: rollback, decisionTimeout: 1d12h, approvalTimeout: 2d, keepOldFor: 30d, inspectionInterval: 90m, watchInterval: 2m, healthyWithin: 5m, healthyFor: 2m}
connections:
  office: {auth: basic, user: svc-oos, password: file:oos.txt, ca: ca.pem}
  sharepoint: {auth: ntlm, user: CONTOSO\svc-sp, password: env:SP}
  other: {auth: ntlm, user: svc@contoso.com, password: env:OTHER, allowUnverified: true}
site: berlin
worker: {concurrentCalls: 100}
`

func TestLoad_Defaults(t *testing.T) {
	path := writeConfig(t, minimalConfig)
	folder := filepath.Dir(path)
	sp := farm.Server{Host: "sp-01", Connection: "main"}
	want := &config.Config{
		Path:   path,
		Worker: config.Worker{ConcurrentCalls: 64, Mode: farm.ModeRotate},
		Farms: []config.Farm{{
			Farm: farm.Farm{
				Name:   "contoso",
				Office: farm.Office{Servers: []farm.Server{{Host: "oos-01", Connection: "main"}}, ProveKeyAs: farm.AsNetworkService},
				SharePoint: []farm.SharePoint{{
					FrontEnd: sp, Servers: []farm.Server{sp}, Sites: []string{"https://portal.contoso.com"},
					IssuerName: "OOS", RunAs: farm.Direct,
				}},
				Certificate: farm.CertificatePolicy{Name: "OOS S2S", LeadTime: 720 * time.Hour},
				Rotation: farm.RotationPolicy{
					Mode:   farm.ModeRotate,
					AtOnce: 10, RestartAtOnce: 1, Approval: true, OnFailure: farm.OnFailurePause,
					DecisionTimeout: 24 * time.Hour, ApprovalTimeout: 7 * 24 * time.Hour, KeepOldFor: 14 * 24 * time.Hour, InspectionInterval: 6 * time.Hour, WatchInterval: 5 * time.Minute, HealthyWithin: 8 * time.Minute, HealthyFor: time.Minute,
				},
			},
			Source: config.Source{Directory: &config.Directory{Path: folder + "/pfx", Password: secret.Ref("file:" + folder + "/pfx.txt")}},
		}},
		Connections: map[string]config.Connection{"main": {Auth: config.NTLM, User: "svc@contoso.com", Password: "env:PASSWORD"}},
	}
	if diff := cmp.Diff(want, requireLoad(t, path)); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

func TestLoad_OtherOffices(t *testing.T) {
	others := `[oos-01], others: [{name: dr, servers: [dr-01], allowOutboundHttp: false}, {name: new, servers: [{host: new-01, connection: main}], proveKeyAs: administrator}]`
	got := requireLoad(t, writeConfig(t, strings.Replace(minimalConfig, "[oos-01]", others, 1))).Farms[0].Office.Others
	want := []farm.Office{
		{Name: "dr", Servers: []farm.Server{{Host: "dr-01", Connection: "main"}}, AllowOutboundHTTP: new(false), ProveKeyAs: farm.AsNetworkService},
		{Name: "new", Servers: []farm.Server{{Host: "new-01", Connection: "main"}}, ProveKeyAs: farm.AsAdministrator},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("other office farms (-want +got):\n%s", diff)
	}
}

func TestLoad_AllKeys(t *testing.T) {
	path := writeConfig(t, fullConfig)
	frontEnd := farm.Server{Host: "sp-01.contoso.com", Address: "10.0.1.1:5986", Connection: "sharepoint"}
	second := farm.Server{Host: "sp-11", Connection: "office"} // basic is enough to start the task
	want := farm.Farm{
		Name: "contoso",
		Office: farm.Office{
			Servers: []farm.Server{
				{Host: "oos-01.contoso.com", Connection: "office"},
				{Host: "oos-02.contoso.com", Address: "10.0.0.2:15986", Connection: "other"},
			},
			AllowOutboundHTTP: new(false), AllowHTTPSecureStoreConnections: new(true),
			ProveKeyAs: farm.AsAdministrator,
		},
		SharePoint: []farm.SharePoint{
			{
				FrontEnd: frontEnd,
				Servers: []farm.Server{
					{Host: "sp-02.contoso.com", Connection: "sharepoint"}, {Host: "sp-03.contoso.com", Connection: "other"}, frontEnd,
				},
				Sites:      []string{"https://portal.contoso.com", "http://old.contoso.com:8080/sites/a"},
				IssuerName: "Online", RunAs: farm.Direct,
			},
			{FrontEnd: second, Servers: []farm.Server{second}, Sites: []string{"https://team.contoso.com"}, IssuerName: "OOS", RunAs: farm.Task},
		},
		Certificate: farm.CertificatePolicy{
			Name: "Online S2S", LeadTime: (14*24 + 12) * time.Hour, Exportable: true,
			Events: []farm.EventMatch{
				{Vault: "contoso-vault", Certificate: "s2s"},
				{Certificate: "s2s-old"},
				{ARN: "arn:aws:acm:eu-central-1:1:certificate/c", Thumbprint: "A9993E364706816ABA3E25717850C26C9CD0D89D", Serials: []string{"123", "7B"}},
				{Subject: "CN=OOS S2S, O=Contoso", Name: "oos.contoso.com", Source: "prometheus", Labels: map[string]string{"job": "oos"}},
			},
		},
		Rotation: farm.RotationPolicy{
			Mode:   farm.ModeRotate,
			AtOnce: 20, RestartAtOnce: 2, Approval: true, OnFailure: farm.OnFailureRollBack,
			Window: farm.Window{
				Days: []time.Weekday{time.Saturday, time.Sunday}, From: 22 * time.Hour, To: 4*time.Hour + 30*time.Minute, Zone: "Europe/Zurich",
			},
			DecisionTimeout: 36 * time.Hour, ApprovalTimeout: 48 * time.Hour, KeepOldFor: 30 * 24 * time.Hour, InspectionInterval: 90 * time.Minute, WatchInterval: 2 * time.Minute, HealthyWithin: 5 * time.Minute, HealthyFor: 2 * time.Minute,
		},
	}
	got := requireLoad(t, path)
	if diff := cmp.Diff(want, got.Farms[0].Farm); diff != "" {
		t.Errorf("farm (-want +got):\n%s", diff)
	}
	source := config.Source{SelfSigned: &config.SelfSigned{
		Directory: config.Directory{Path: "/var/lib/pfx", Password: "file:/run/pfx"},
		Subject:   "Online", ValidFor: 90 * 24 * time.Hour,
	}}
	if diff := cmp.Diff(source, got.Farms[0].Source); diff != "" {
		t.Errorf("source (-want +got):\n%s", diff)
	}
	folder := filepath.Dir(path)
	connections := map[string]config.Connection{
		"office":     {Auth: config.Basic, User: "svc-oos", Password: secret.Ref("file:" + folder + "/oos.txt"), CA: folder + "/ca.pem"},
		"sharepoint": {Auth: config.NTLM, User: `CONTOSO\svc-sp`, Password: "env:SP"},
		"other":      {Auth: config.NTLM, User: "svc@contoso.com", Password: "env:OTHER", AllowUnverified: true},
	}
	if diff := cmp.Diff(connections, got.Connections); diff != "" {
		t.Errorf("connections (-want +got):\n%s", diff)
	}
	worker := config.Config{Site: "berlin", Worker: config.Worker{ConcurrentCalls: 100, Mode: farm.ModeRotate}}
	if diff := cmp.Diff(worker, config.Config{Site: got.Site, Worker: got.Worker}); diff != "" {
		t.Errorf("site and worker (-want +got):\n%s", diff)
	}
}

func TestLoad_Warnings(t *testing.T) {
	content := strings.Replace(fullConfig, "allowOutboundHttp: false", "allowOutboundHttp: true", 1)
	content = strings.Replace(content, "user: svc-oos", "user: svc-oos@contoso.com", 1)
	content = strings.Replace(content, "site: berlin", "  spare: {auth: ntlm, user: svc, password: file:D:/x.txt}\nsite: berlin", 1)
	got := requireLoad(t, writeConfig(t, content))
	want := []string{
		"8: farms[0].office.allowOutboundHttp: office servers may send S2S tokens over HTTP, where they can be intercepted and replayed: use HTTPS and remove the setting",
		"9: farms[0].office.allowHttpSecureStoreConnections: ODC files, which may hold passwords, travel in clear text: use HTTPS and remove the setting",
		"15: farms[0].sharePoint[0].sites[1]: S2S tokens for old.contoso.com:8080 travel in clear text and can be replayed: use HTTPS",
		"31: connections.office: Windows accepts basic for local accounts only: use ntlm for domain accounts",
		"33: connections.other.allowUnverified: server certificates are not verified: anyone on the network path can read and change everything: name the CA under ca",
		"34: connections.spare.password: D:/x.txt is a path of Windows: write a path such as /etc/farmtrust/pfx, unless the worker runs on Windows",
		"34: connections.spare: the account svc has no domain: write DOMAIN\\svc or svc@domain, unless it is a local account of each server",
		"34: connections.spare: no server uses this connection: remove it, or name it under a farm",
	}
	if diff := cmp.Diff(want, describeProblems(got.Path, got.Warnings)); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestConfig_Farm(t *testing.T) {
	loaded := requireLoad(t, writeConfig(t, minimalConfig))
	t.Run("found by its name", func(t *testing.T) {
		got, err := loaded.Farm("contoso")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(loaded.Farms[0], got); diff != "" {
			t.Errorf("farm (-want +got):\n%s", diff)
		}
	})
	for _, c := range []struct{ name, farm, want string }{
		{"unknown, with a similar name suggested", "contosso", `unknown farm "contosso": did you mean contoso?`},
		{"unknown, with the known farms listed", "fabrikam", `unknown farm "fabrikam": the farms of ` + loaded.Path + ` are contoso`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := loaded.Farm(c.farm)
			if !errors.Is(err, config.ErrUnknownFarm) {
				t.Fatalf("Farm(%q): %v, want ErrUnknownFarm", c.farm, err)
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoad_Unreadable(t *testing.T) {
	var problems config.Problems
	t.Run("a missing file is not a problem with its content", func(t *testing.T) {
		_, err := config.Load(filepath.Join(t.TempDir(), "none.yaml"))
		if !errors.Is(err, fs.ErrNotExist) || errors.As(err, &problems) {
			t.Errorf("Load: %v, want fs.ErrNotExist", err)
		}
	})
	t.Run("a folder is not a problem with its content", func(t *testing.T) {
		_, err := config.Load(t.TempDir())
		if err == nil || errors.As(err, &problems) {
			t.Errorf("Load: %v, want an error that is not Problems", err)
		}
	})
}

func requireLoad(t testing.TB, path string) *config.Config {
	t.Helper()
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// writeConfig writes content as a configuration file, and returns its path. Nothing that
// it names is there.
func writeConfig(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "farmtrust.yaml")
	writeFile(t, path, content)
	return path
}

func writeFile(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// describeProblems returns the problems as operators read them, without the name of
// the file.
func describeProblems(path string, problems []config.Problem) []string {
	out := make([]string, len(problems))
	for i, p := range problems {
		out[i] = strings.TrimPrefix(strings.ReplaceAll(p.String(), filepath.Dir(path)+"/", ""), "farmtrust.yaml:")
	}
	return out
}

func TestLoad_KeyRingsStandBesideTheFile(t *testing.T) {
	path := writeConfig(t, strings.Replace(minimalConfig, "farms:", "keys: {seal: file:seal.keys, payloads: file:/etc/farmtrust/payloads.keys}\nfarms:", 1))
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	want := config.Keys{Seal: filepath.Join(filepath.Dir(path), "seal.keys"), Payloads: "/etc/farmtrust/payloads.keys"}
	if c.Keys != want {
		t.Errorf("got %+v, want %+v", c.Keys, want)
	}
}
