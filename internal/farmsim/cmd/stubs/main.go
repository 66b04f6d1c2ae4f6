// Command stubs gives a real Windows server stubs of the two products: modules
// whose cmdlets act on a simulated farm in this process. It prints the
// environment variables that PowerShells need, then an empty line, and serves
// until it is stopped. The workflow windows.yml runs it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/pwsh"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	folder := flag.String("folder", "", "where to install the stubs")
	name := flag.String("name", "", "the computer name of this machine")
	site := flag.String("site", "https://portal.contoso.com", "the site collection of the SharePoint farm")
	flag.Parse()
	if err := run(ctx, *folder, *name, *site); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves a machine of this name, which is an office server and a SharePoint
// server of farms of its own.
func run(ctx context.Context, folder, name, site string) error {
	session, err := newFarms(name+".local", site)
	if err != nil {
		return fmt.Errorf("make the simulated farms: %w", err)
	}
	served, err := pwsh.Serve(session, folder)
	if err != nil {
		return err
	}
	for _, variable := range served.Environment {
		fmt.Println(variable)
	}
	fmt.Println()
	<-ctx.Done()
	return served.Close()
}

func newFarms(host, site string) (*model.Session, error) {
	world := model.New(model.Policy{})
	const build2022 = 20348
	if err := world.AddMachine(model.MachineSpec{Host: host, Build: build2022}); err != nil {
		return nil, err
	}
	if err := world.NewOfficeFarm(model.OfficeSettings{}, host); err != nil {
		return nil, err
	}
	spec := model.SharePointSpec{
		Name: "portal", Version: "16.0.18526.20508", Servers: []string{host}, Sites: []string{site}, UserProfileServices: 1,
	}
	if err := world.NewSharePointFarm(spec, nil); err != nil {
		return nil, err
	}
	return world.LogOn(host, model.Logon{User: "farmtrust", Auth: model.NTLM})
}
