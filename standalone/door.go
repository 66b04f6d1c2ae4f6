package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/secret"
)

// doorSource is the source of the demonstration's events: a Key Vault, through Event Grid.
const doorSource = "vault"

// door is the worker's door for events, as a sender knows it.
type door struct {
	source config.EventSource
	// url is where events are POSTed, and has the key that Event Grid would have.
	url string
}

// openDoor has a worker of the configuration listen for events of a Key Vault, on this
// machine alone, and returns the way in. The key is kept in dir.
func openDoor(ctx context.Context, c *config.Config, dir string) (*door, error) {
	key, path := rand.Text(), filepath.Join(dir, "event-key")
	if err := os.WriteFile(path, []byte(key), 0o600); err != nil {
		return nil, fmt.Errorf("write the key of the door for events: %w", err)
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	source := config.EventSource{Name: doorSource, Format: event.Azure}
	c.Listen = &config.Listen{
		Address: address,
		// What is sent does not leave this machine, so that nothing has to encrypt it.
		Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
		Sources: []config.Sender{{EventSource: source, Proof: config.Proof{QueryKey: []secret.Ref{secret.Ref("file:" + path)}}, Rate: 20}},
	}
	in := url.URL{Scheme: "http", Host: address, Path: "/events/" + doorSource, RawQuery: url.Values{"key": {key}}.Encode()}
	return &door{source: source, url: in.String()}, nil
}

// freeAddress returns an address of this machine that nothing listens on.
func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a port for events: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// read returns what the controller of a farm will know a message as, which has one event.
func (d *door) read(body []byte) (controller.Event, error) {
	batch, err := d.source.Decode(event.Message{Body: body})
	if err != nil {
		return controller.Event{}, err
	}
	if len(batch.Events) != 1 {
		return controller.Event{}, fmt.Errorf("decode event: got %d events", len(batch.Events))
	}
	return controller.Event{ID: batch.Events[0].Key(), Summary: batch.Events[0].String()}, nil
}

const (
	// doorPatience is how long the worker may take to start and to reach Temporal.
	doorPatience = time.Minute
	// doorPause is the time between two attempts. Event Grid waits longer.
	doorPause = 200 * time.Millisecond
)

// deliver brings a message in, as Event Grid does: again until it is taken, and no more
// once it is refused. It fails unless the farm has the event then.
func (d *door) deliver(ctx context.Context, body []byte, farmName string) error {
	ctx, cancel := context.WithTimeout(ctx, doorPatience)
	defer cancel()
	for {
		status, answer, err := d.post(ctx, body)
		switch {
		case err == nil && status == http.StatusAccepted:
			return checkTaken(answer, farmName)
		case err == nil && status < http.StatusInternalServerError:
			return fmt.Errorf("deliver the event: the door answers %d: %s", status, answer)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("deliver the event: the door answers %d, %w", status, context.Cause(ctx))
		case <-time.After(doorPause):
		}
	}
}

func (d *door) post(ctx context.Context, body []byte) (status int, answer []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("deliver the event: %w", err)
	}
	request.Header.Set("Content-Type", "application/cloudevents+json; charset=utf-8")
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		return 0, nil, fmt.Errorf("deliver the event: %w", err)
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(response.Body, 1<<16))
	if err != nil {
		return 0, nil, fmt.Errorf("deliver the event: %w", err)
	}
	return response.StatusCode, answer, nil
}

// checkTaken checks that the door has brought the event to the farm.
func checkTaken(answer []byte, farmName string) error {
	var taken struct {
		Events []struct {
			Farms  []string `json:"farms"`
			Reason string   `json:"reason"`
		} `json:"events"`
	}
	if err := json.Unmarshal(answer, &taken); err != nil {
		return fmt.Errorf("deliver the event: %w", err)
	}
	if len(taken.Events) != 1 || len(taken.Events[0].Farms) != 1 || taken.Events[0].Farms[0] != farmName {
		return fmt.Errorf("deliver the event: %s does not hear it: %s", farmName, answer)
	}
	return nil
}
