package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// guardedUI starts a UI that counts its visitors, and a guard in front of it, whose
// address it returns.
func guardedUI(t *testing.T, args ...string) (address string, visits *int) {
	t.Helper()
	visits = new(int)
	ui := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			*visits++
		}
		_, _ = io.WriteString(w, "the UI")
	}))
	t.Cleanup(ui.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	flags := append([]string{"guard", "-listen", address, "-ui", ui.URL}, args...)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan int, 1)
	go func() { done <- run(ctx, "worker", flags, io.Discard, io.Discard) }()
	t.Cleanup(func() {
		cancel()
		if code := <-done; code != exitOK {
			t.Errorf("the guard ended with exit code %d", code)
		}
	})
	for run(t.Context(), "worker", append(flags, "-check"), io.Discard, io.Discard) != exitOK {
		if t.Context().Err() != nil {
			t.Fatal("the guard does not serve")
		}
	}
	return address, visits
}

// request sends a request to a guard under the name host.
func request(t *testing.T, method, address, host, origin string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+"/api/v1/namespaces/default/workflows/x", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	r.Header.Set("Origin", origin)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode
}

func TestGuard_IsTheOnlyDoor(t *testing.T) {
	address, visits := guardedUI(t, "-host", "127.0.0.1:8233,localhost:8233", "-write")
	for name, c := range map[string]struct {
		host, origin string
		want         int
	}{
		"its own page":  {"localhost:8233", "http://localhost:8233", http.StatusOK},
		"another page":  {"localhost:8233", "https://evil.example", http.StatusForbidden},
		"another name":  {"evil.example:8233", "http://evil.example:8233", http.StatusMisdirectedRequest},
		"its bare port": {address, "http://" + address, http.StatusMisdirectedRequest},
	} {
		*visits = 0
		if got := request(t, http.MethodPost, address, c.host, c.origin); got != c.want || (*visits == 1) != (c.want == http.StatusOK) {
			t.Errorf("%s: got %d after %d visits, want %d", name, got, *visits, c.want)
		}
	}
}

func TestGuard_ChangesNothingUnlessTold(t *testing.T) {
	address, visits := guardedUI(t)
	if got := request(t, http.MethodPost, address, address, "http://"+address); got != http.StatusMethodNotAllowed || *visits > 0 {
		t.Errorf("got %d after %d visits", got, *visits)
	}
	if got := request(t, http.MethodGet, address, address, ""); got != http.StatusOK {
		t.Errorf("looking: got %d", got)
	}
}

func TestGuard_WrongFlags(t *testing.T) {
	for _, args := range [][]string{{}, {"-ui", "127.0.0.1:8080"}, {"-ui", "ftp://ui"}, {"-ui", "http://ui", "-listen", "nowhere"}, {"-ui", "http://ui", "more"}} {
		if err := runGuard(t.Context(), "worker", args, io.Discard, io.Discard); !errors.As(err, new(*usageError)) {
			t.Errorf("%q: got %v", args, err)
		}
	}
}
