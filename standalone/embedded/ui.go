package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/route"
	uifiles "github.com/temporalio/ui-server/v2/ui"
	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/guard"
)

// headerTimeout ends connections that never ask for anything.
const headerTimeout = 10 * time.Second

// ui is a running Temporal UI.
type ui struct {
	host   string
	server *http.Server
	done   chan error
}

// startUI starts the UI, which takes the listeners.
func startUI(listeners []net.Listener, a *access, frontend string, o Options) (*ui, error) {
	handler, err := newUI(&uiconfig.Config{
		TemporalGRPCAddress: frontend, TLS: a.uiTLS(), EnableUI: true, DefaultNamespace: Namespace, DisableWriteActions: o.ReadOnlyUI,
		Codec: uiconfig.Codec{Endpoint: o.Codec, IncludeCredentials: o.Codec != ""},
		// This server makes no outbound requests.
		DisableNewsFetch: true,
	}, o.Logger)
	if err != nil {
		closeAll(listeners)
		return nil, fmt.Errorf("make the UI: %w", err)
	}
	hosts := a.uiHosts(listeners[0].Addr().(*net.TCPAddr).Port)
	policy := guard.Policy{Hosts: hosts, ReadOnly: o.ReadOnlyUI}
	u := &ui{
		host: hosts[0], done: make(chan error, len(listeners)),
		server: &http.Server{Handler: policy.Wrap(handler), ReadHeaderTimeout: headerTimeout, ErrorLog: zap.NewStdLog(o.Logger)},
	}
	for _, l := range listeners {
		go func() { u.done <- u.server.Serve(l) }()
	}
	return u, nil
}

// newUI puts the UI together as its own server does, which would listen itself, on a
// port that no guard could stand in front of. What that has against other pages, the
// guard does.
//
// Source: github.com/temporalio/ui-server/v2 v2.55.0, server/server.go.
func newUI(c *uiconfig.Config, log *zap.Logger) (http.Handler, error) {
	defer zap.RedirectStdLog(log)() // it says there that it has read a certificate
	settings, err := uiconfig.NewConfigProviderWithRefresh(c)
	if err != nil {
		return nil, err
	}
	all, err := uifiles.Assets()
	if err != nil {
		return nil, err
	}
	assets, err := fs.Sub(all, "local")
	if err != nil {
		return nil, err
	}
	e := echo.New()
	e.Use(middleware.Recover(), middleware.Gzip())
	route.SetHealthRoute(e)
	err = errors.Join(route.SetAPIRoutes(e, settings, nil), route.SetUIRoutes(e, "", assets, settings))
	route.SetRenderRoute(e, "/")
	return e, err
}

func (u *ui) stop() error {
	err := u.server.Close()
	for range cap(u.done) {
		if served := <-u.done; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
	}
	return err
}
