package codecserver_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.uber.org/zap"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/farmtrust/farmtrust/internal/codecserver"
	"github.com/farmtrust/farmtrust/internal/keyring"
	"github.com/farmtrust/farmtrust/internal/payload"
)

const (
	uiOrigin = "https://temporal.contoso.com"
	token    = "0123456789abcdef0123456789abcdef"
	marker   = "oos-01.contoso.com"
)

// testServer is a server with the keys of one ring.
type testServer struct {
	*httptest.Server

	codec converter.PayloadCodec
}

func start(t *testing.T) testServer {
	t.Helper()
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, []byte("# who may read\nada "+token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	authenticate, err := codecserver.Tokens(tokens)
	if err != nil {
		t.Fatal(err)
	}
	options := payload.Options{Keys: keyring.Generated()}
	s := httptest.NewServer(codecserver.New(codecserver.Options{
		Payloads: options, Origins: []string{uiOrigin}, Authenticate: authenticate, Log: zap.NewNop(),
	}))
	t.Cleanup(s.Close)
	return testServer{s, payload.NewCodec(options)}
}

// encrypted is the body of a request for one payload.
func (s testServer) encrypted(t *testing.T, text string) string {
	t.Helper()
	plain, err := converter.GetDefaultDataConverter().ToPayloads(text)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := s.codec.Encode(plain.Payloads)
	if err != nil {
		t.Fatal(err)
	}
	body, err := protojson.Marshal(&commonpb.Payloads{Payloads: encoded})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// request is what is sent; the zero value of a field is what a good one has.
type request struct {
	method, path, body, origin, kind, authorization string
}

// answer is what a server said.
type answer struct {
	StatusCode int
	Status     string
	Header     http.Header
}

func (s testServer) do(t *testing.T, c *http.Client, r request) (answer, string) {
	t.Helper()
	method, path := r.method, r.path
	if method == "" {
		method = http.MethodPost
	}
	if path == "" {
		path = "/decode"
	}
	made, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Origin": r.origin, "Content-Type": r.kind, "Authorization": r.authorization} {
		if value != "" {
			made.Header.Set(name, value)
		}
	}
	response, err := c.Do(made)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Status, response.Header}, string(text)
}

// The SDK's own client of such servers reads what the codec wrote.
func TestServer_TheSDKsClientOfCodecServersReadsPayloads(t *testing.T) {
	s := start(t)
	plain, err := converter.GetDefaultDataConverter().ToPayloads(marker, 7)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := s.codec.Encode(plain.Payloads)
	if err != nil {
		t.Fatal(err)
	}
	remote := converter.NewRemotePayloadCodec(converter.RemotePayloadCodecOptions{
		Endpoint:      s.URL,
		ModifyRequest: func(r *http.Request) error { r.Header.Set("Authorization", "Bearer "+token); return nil },
	})
	decoded, err := remote.Decode(encoded)
	if err != nil || len(decoded) != 2 || string(decoded[0].Data) != `"`+marker+`"` || string(decoded[1].Data) != "7" {
		t.Fatalf("%v, %v", decoded, err)
	}
	if _, err := remote.Encode(plain.Payloads); err == nil {
		t.Error("it encrypts for anybody who asks")
	}
}

func TestServer_RefusesWithoutAWordWhoeverMayNotRead(t *testing.T) {
	s := start(t)
	good := request{body: s.encrypted(t, marker), kind: "application/json", authorization: "Bearer " + token, origin: uiOrigin}
	if response, text := s.do(t, s.Client(), good); response.StatusCode != http.StatusOK || response.Header.Get("Access-Control-Allow-Origin") != uiOrigin {
		t.Fatalf("a good request: %s %s", response.Status, text)
	}
	for name, c := range map[string]struct {
		change func(*request)
		code   int
	}{
		"no token":                    {func(r *request) { r.authorization = "" }, http.StatusUnauthorized},
		"another token":               {func(r *request) { r.authorization = "Bearer " + strings.ToUpper(token) }, http.StatusUnauthorized},
		"an empty token":              {func(r *request) { r.authorization = "Bearer " }, http.StatusUnauthorized},
		"a foreign page":              {func(r *request) { r.origin = "https://evil.example" }, http.StatusForbidden},
		"a page without an origin":    {func(r *request) { r.origin = "null" }, http.StatusForbidden},
		"an origin that begins so":    {func(r *request) { r.origin = uiOrigin + ".evil.example" }, http.StatusForbidden},
		"its own name, by rebinding":  {func(r *request) { r.origin = s.URL }, http.StatusForbidden},
		"a form's post":               {func(r *request) { r.kind = "text/plain" }, http.StatusUnsupportedMediaType},
		"no type":                     {func(r *request) { r.kind = "" }, http.StatusUnsupportedMediaType},
		"a GET":                       {func(r *request) { r.method = http.MethodGet }, http.StatusMethodNotAllowed},
		"encode":                      {func(r *request) { r.path = "/encode"; r.origin = "" }, http.StatusNotFound},
		"a path that ends in /decode": {func(r *request) { r.path = "/x/decode"; r.origin = "" }, http.StatusNotFound},
		"no payloads":                 {func(r *request) { r.body = `{"payloads": 7}` }, http.StatusBadRequest},
		"too much":                    {func(r *request) { r.body = strings.Repeat(" ", 8<<20+1) }, http.StatusRequestEntityTooLarge},
		"another key":                 {func(r *request) { r.body = start(t).encrypted(t, marker) }, http.StatusUnprocessableEntity},
	} {
		r := good
		c.change(&r)
		response, text := s.do(t, s.Client(), r)
		if response.StatusCode != c.code || strings.Contains(text, marker) || len(text) > 40 {
			t.Errorf("%s: %s %q, want %d and no detail", name, response.Status, text, c.code)
		}
	}
}

func TestServer_APreflightNamesTheOriginAlone(t *testing.T) {
	s := start(t)
	response, _ := s.do(t, s.Client(), request{method: http.MethodOptions, origin: uiOrigin})
	if h := response.Header; response.StatusCode != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != uiOrigin || h.Get("Vary") != "Origin" {
		t.Errorf("%s %v", response.Status, h)
	}
	for _, origin := range []string{"", "https://evil.example"} {
		if response, _ := s.do(t, s.Client(), request{method: http.MethodOptions, origin: origin}); response.StatusCode != http.StatusForbidden {
			t.Errorf("origin %q: %s", origin, response.Status)
		}
	}
}

func TestServer_APersonWhoHasSignedInReadsWithoutAToken(t *testing.T) {
	s := start(t)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	r := request{body: s.encrypted(t, marker), kind: "application/json", origin: uiOrigin}
	signIn := func(given, origin string) int {
		response, _ := s.do(t, browser, request{
			path: "/", body: url.Values{"token": {given}}.Encode(), kind: "application/x-www-form-urlencoded", origin: origin,
		})
		return response.StatusCode
	}
	for given, want := range map[string]int{"wrong": http.StatusUnauthorized, "": http.StatusUnauthorized} {
		if got := signIn(given, s.URL); got != want {
			t.Errorf("sign in with %q: %d, want %d", given, got, want)
		}
	}
	if got := signIn(token, uiOrigin); got != http.StatusForbidden {
		t.Errorf("signed in by another page: %d", got)
	}
	if response, _ := s.do(t, browser, r); response.StatusCode != http.StatusUnauthorized {
		t.Errorf("before signing in: %s", response.Status)
	}
	if got := signIn(token, s.URL); got != http.StatusOK {
		t.Fatalf("sign in: %d", got)
	}
	if response, text := s.do(t, browser, r); response.StatusCode != http.StatusOK || response.Header.Get("Access-Control-Allow-Credentials") != "true" {
		t.Errorf("after signing in: %s %s", response.Status, text)
	}
	r.origin = "https://evil.example"
	if response, _ := s.do(t, browser, r); response.StatusCode != http.StatusForbidden {
		t.Errorf("a foreign page of the same browser: %s", response.Status)
	}
}

func TestTokens_AreReadEachTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for content, want := range map[string]string{
		"": "holds none", "# nobody\n": "holds none", "ada\n": ":1: write NAME TOKEN", "#\nada short\n": ":2: the token is shorter than 32",
		strings.Repeat("#\n", 40_000): "more than 65536 bytes",
	} {
		write(content)
		if _, err := codecserver.Tokens(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v", content, err)
		}
	}
	write("ada " + token + "\nbob " + strings.Repeat("b", 32) + "\n")
	authenticate, err := codecserver.Tokens(path)
	if err != nil {
		t.Fatal(err)
	}
	if name, err := authenticate(context.Background(), token); name != "ada" || err != nil {
		t.Errorf("%q, %v", name, err)
	}
	write("bob " + strings.Repeat("b", 32) + "\n")
	if name, err := authenticate(context.Background(), token); err == nil {
		t.Errorf("a token that was taken back is %s's", name)
	}
	if err := errors.Join(os.Chmod(path, 0o644)); err != nil {
		t.Fatal(err)
	}
	if _, err := authenticate(context.Background(), strings.Repeat("b", 32)); err == nil {
		t.Error("a file that everybody reads is trusted")
	}
}
