package embedded

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/server_options"
)

// uiTimeout limits the wait for the UI's first response, which takes milliseconds:
// the UI's files are part of the program.
const uiTimeout = 10 * time.Second

// ui is a running Temporal UI.
type ui struct {
	server *server.Server
	done   chan error
}

// startUI starts the UI and returns when it responds.
func startUI(ctx context.Context, port int, frontend, codec string) (*ui, error) {
	u := &ui{
		server: server.NewServer(server_options.WithConfigProvider(&uiconfig.Config{
			Host: loopback, Port: port, TemporalGRPCAddress: frontend,
			EnableUI: true, HideLogs: true, DefaultNamespace: Namespace,
			Codec: uiconfig.Codec{Endpoint: codec, IncludeCredentials: codec != ""},
			// This server makes no outbound requests.
			DisableNewsFetch: true,
			// Over plain HTTP a browser does not send a secure cookie, and without
			// the CSRF cookie the UI's write requests are rejected.
			CORS: uiconfig.CORS{CookieInsecure: true},
		})),
		done: make(chan error, 1),
	}
	go func() { u.done <- u.server.Start() }()
	ctx, cancel := context.WithTimeout(ctx, uiTimeout)
	defer cancel()
	for {
		if err := checkHealth(ctx, "http://"+localAddress(port)+"/healthz"); err == nil {
			return u, nil
		} else if ctx.Err() != nil {
			return nil, errors.Join(fmt.Errorf("wait for the UI: %w", err), u.stop())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// checkHealth returns an error unless a GET of url succeeds.
func checkHealth(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, response.Status)
	}
	return errors.Join(err, response.Body.Close())
}

func (u *ui) stop() error {
	u.server.Stop()
	return <-u.done
}
