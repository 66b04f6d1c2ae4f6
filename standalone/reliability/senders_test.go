package reliability

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/farmsim"
)

// keyVaultSource is how events of Key Vault are read, on every way.
var keyVaultSource = config.EventSource{Name: "vault", Format: event.Azure}

// sentEvent is an event as its source sends it.
type sentEvent struct {
	body []byte
	// key is what controllers know it by.
	key string
}

// newEvent returns an event of the farm's certificate that differs from every other one.
func newEvent(t *testing.T, number int) sentEvent {
	t.Helper()
	kinds := []string{"CertificateNearExpiry", "CertificateExpired", "CertificateNewVersionCreated"}
	body, err := json.Marshal(map[string]any{
		"specversion": "1.0", "id": fmt.Sprintf("event-%d", number), "source": "/vaults/" + farmsim.EventVault,
		"type": "Microsoft.KeyVault." + kinds[number%len(kinds)],
		"data": map[string]any{"VaultName": farmsim.EventVault, "ObjectName": farmsim.EventCertificate, "Version": fmt.Sprint(number)},
	})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := keyVaultSource.Decode(event.Message{Body: body})
	if err != nil || len(batch.Events) != 1 {
		t.Fatalf("decode %s: %d events, %v", body, len(batch.Events), err)
	}
	return sentEvent{body, batch.Events[0].Key()}
}

// way is how an event is handed over. It returns whether that has happened; where it has
// not, it is tried again, unless there is an error.
type way func(ctx context.Context, body []byte) (isTaken bool, err error)

// throughDoor is the way of a sender over HTTP. It gives up only what can never succeed.
func throughDoor(url string) way {
	client := &http.Client{Timeout: 10 * time.Second}
	return func(ctx context.Context, body []byte) (bool, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return false, err
		}
		request.Header.Set("Content-Type", "application/cloudevents+json; charset=utf-8")
		response, err := client.Do(request)
		if err != nil {
			return false, nil // nobody is there, or was killed before it answered
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		switch {
		case err != nil, response.StatusCode >= http.StatusInternalServerError:
			return false, nil
		case response.StatusCode != http.StatusAccepted:
			return false, fmt.Errorf("refused: %s: %s", response.Status, answer)
		}
		return true, checkHeard(answer)
	}
}

// checkHeard checks that a door has brought the event to the farm, and not passed it over.
func checkHeard(answer []byte) error {
	var taken struct {
		Events []struct{ Farms []string }
	}
	if err := json.Unmarshal(answer, &taken); err != nil {
		return fmt.Errorf("read %s: %w", answer, err)
	}
	if len(taken.Events) != 1 || !slices.Equal(taken.Events[0].Farms, []string{farmsim.FarmName}) {
		return fmt.Errorf("taken, but not for the farm: %s", answer)
	}
	return nil
}

// throughFolder is the way of a sender that drops files into a folder.
func throughFolder(folder string) way {
	var files atomic.Int64
	return func(_ context.Context, body []byte) (bool, error) {
		name := fmt.Sprintf("%04d.json", files.Add(1))
		draft := filepath.Join(folder, "."+name)
		if err := os.WriteFile(draft, body, 0o600); err != nil {
			return false, err
		}
		return true, os.Rename(draft, filepath.Join(folder, name))
	}
}

// wave is deliveries that are under way at the same time.
type wave struct {
	all sync.WaitGroup
	// tried are those that have been tried once at least.
	tried atomic.Int64
	size  int64
}

// wasTried reports whether each delivery has been tried.
func (w *wave) wasTried() bool { return w.tried.Load() == w.size }

const (
	// waveSpan is how long a wave's deliveries take to begin.
	waveSpan = 2 * time.Second
	// firstAgain is the pause before a delivery is tried again, which doubles up to mostAgain.
	firstAgain, mostAgain = 200 * time.Millisecond, 2 * time.Second
)

// deliver delivers an event of the wave, beginning after a while, until it is taken.
func (w *wave) deliver(ctx context.Context, t *testing.T, e sentEvent, by way, begin time.Duration) {
	w.size++
	w.all.Go(func() {
		for first, pause := true, begin; ; first, pause = false, min(max(2*pause, firstAgain), mostAgain) {
			select {
			case <-ctx.Done():
				t.Errorf("%s is not taken: %v", e.body, context.Cause(ctx))
				return
			case <-time.After(pause):
			}
			isTaken, err := by(ctx, e.body)
			if first {
				w.tried.Add(1)
			}
			switch {
			case err != nil:
				t.Errorf("%s: %v", e.body, err)
				return
			case isTaken:
				return
			}
		}
	})
}
