package farmsim_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/internal/secret"
	"github.com/farmtrust/farmtrust/internal/source"
)

// TestProcedure checks that the procedure makes every data refresh work.
func TestProcedure(t *testing.T) {
	t.Parallel()
	for _, sharePoint := range []string{"2016", "2019", "SE"} {
		for _, selfSigned := range []bool{false, true} {
			for _, trusting := range []bool{false, true} {
				name := fmt.Sprintf("SharePoint %s, self-signed %t, renewal %t", sharePoint, selfSigned, trusting)
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					testFarm := start(t, farmsim.Options{SharePoint: sharePoint, SelfSigned: selfSigned, Trusting: trusting, WithoutWire: true})
					o := newest(t, testFarm)
					if works := len(o.obstacles()) == 0; works != trusting {
						t.Fatalf("before the procedure, data refreshes work: %t, want %t: %q", works, trusting, o.obstacles())
					}
					o.rotate()
					if diff := cmp.Diff([]string(nil), o.obstacles()); diff != "" {
						t.Errorf("after the procedure something is in the way (-want +got):\n%s", diff)
					}
				})
			}
		}
	}
}

// TestConfig_NamesEveryServer checks that a large farm writes a configuration
// that names every server.
func TestConfig_NamesEveryServer(t *testing.T) {
	t.Parallel()
	testFarm := start(t, farmsim.Options{OfficeServers: 7, SharePointFarms: 3, SharePointServers: 2, SharePoint: "SE"})
	c, err := config.Load(testFarm.Config())
	if err != nil {
		t.Fatal(err)
	}
	f := c.Farms[0]
	var named []string
	for _, s := range f.Office.Servers {
		named = append(named, s.Host)
	}
	for _, sp := range f.SharePoint {
		for _, s := range sp.Servers {
			named = append(named, s.Host)
		}
	}
	if diff := cmp.Diff(testFarm.Hosts(), named); diff != "" {
		t.Errorf("servers (-farm +configuration):\n%s", diff)
	}
}

// TestIssueCertificate checks that each issued certificate is newer than the
// last and valid now.
func TestIssueCertificate(t *testing.T) {
	t.Parallel()
	testFarm := start(t, farmsim.Options{OfficeServers: 1, SharePointServers: 1, WithoutWire: true})
	folder := source.Directory{Path: filepath.Join(filepath.Dir(testFarm.Config()), "certificates"), Password: secret.Ref("file:" + testFarm.PFXPassword())}
	for range 3 {
		issued, err := testFarm.IssueCertificate(20 * 24 * time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		newest, err := folder.Newest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if newest.Certificate.Thumbprint != issued.Thumbprint {
			t.Errorf("the newest certificate is %s, issued was %s", newest.Certificate.Thumbprint, issued.Thumbprint)
		}
		if findings := farm.Stops(cert.Judge(newest, time.Now(), farm.CertificatePolicy{LeadTime: time.Hour})); len(findings) > 0 {
			t.Errorf("it is unfit: %v", findings)
		}
	}
}

// TestStart_BadOptions checks that options that make no farm are all reported
// at once.
func TestStart_BadOptions(t *testing.T) {
	t.Parallel()
	_, err := farmsim.Start(t.Context(), farmsim.Options{
		OfficeServers: 101, SharePointFarms: 11, SharePointServers: -1, SharePoint: "2013", Auth: "kerberos",
		OtherOffices: []farmsim.OtherOffice{{Name: "dr", Servers: 101}, {Name: "dr"}, {}},
	})
	for _, says := range []string{
		"office servers: 101 is not between 1 and 100", "SharePoint farms: 11", "servers of a SharePoint farm: -1",
		"office servers of dr: 101", `office farm "dr" is named twice`, `office farm "" has no name`,
		`SharePoint "2013"`, `authentication "kerberos"`, "no folder is given",
	} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("the error does not say %q: %v", says, err)
		}
	}
}

// TestConcurrentCalls checks that many calls at once on every server, while one
// reboots, leave one certificate on each.
func TestConcurrentCalls(t *testing.T) {
	t.Parallel()
	testFarm := start(t, farmsim.Options{Policy: model.Policy{ReplicationDelay: 10 * time.Millisecond}})
	o := newest(t, testFarm)
	w := overWire(t, testFarm)
	var group errgroup.Group
	for _, host := range o.hosts("oos-") {
		for range 4 {
			group.Go(func() error {
				// Interrupted calls are tried again: every script looks before it acts.
				for {
					_, err := powershell.Run(t.Context(), w, powershell.Target{Host: host}, o.importCall(14393))
					if _, ok := errors.AsType[*powershell.TransportError](err); !ok {
						return err
					}
				}
			})
		}
	}
	group.Go(func() error { return testFarm.Reboot("oos-02.contoso.com", 50*time.Millisecond) })
	group.Go(func() error { _, err := json.Marshal(testFarm.State()); return err })
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	o.rotate()
	for len(o.obstacles()) > 0 { // members get the setting a little later
		o.restart(time.Now())
	}
	for _, m := range testFarm.State().Machines {
		if copies := len(m.Stores[model.My]); strings.HasPrefix(m.Host, "oos-") && copies != 1 {
			t.Errorf("%s holds %d certificates", m.Host, copies)
		}
	}
}
