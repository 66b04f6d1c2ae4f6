// Package codecserver decrypts payloads for the Temporal UI and for Temporal's command
// line, over HTTP.
//
// It encrypts nothing: who could have that done could write payloads that workers
// believe. It knows no workflow, and does not connect to Temporal.
package codecserver

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.uber.org/zap"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/farmtrust/farmtrust/internal/payload"
)

// Limits of a request. Temporal answers with at most 4 MiB, of which base64 makes less
// than 6, and real payloads decompress to less than ten times their size.
const (
	maxBody   = 8 << 20
	maxAnswer = 64 << 20
	// maxRequests is how many are answered at once; together with the sizes it bounds
	// the memory.
	maxRequests = 4
)

// Options configure a server.
type Options struct {
	// Payloads has the keys. Payloads in clear are answered as they are: this shows what
	// Temporal stores, and believes nothing.
	Payloads payload.Options
	// Origins are those of the pages that may ask, such as https://temporal.contoso.com.
	Origins []string
	// Authenticate returns the name of the holder of a token, or an error.
	Authenticate func(ctx context.Context, token string) (string, error)
	// Log says who had how much decrypted, and who was refused.
	Log *zap.Logger
}

type server struct {
	Options

	codec    converter.PayloadCodec
	sessions *sessions
	slots    chan struct{}
}

// New returns the handler: POST /decode, and a page on which a person signs in with a
// token, for a UI that has no token to pass on.
func New(o Options) http.Handler {
	o.Payloads.AcceptClear = true
	s := &server{Options: o, codec: payload.NewCodec(o.Payloads), sessions: newSessions(), slots: make(chan struct{}, maxRequests)}
	mux := http.NewServeMux()
	mux.HandleFunc("OPTIONS /decode", s.preflight)
	mux.HandleFunc("POST /decode", s.decode)
	mux.HandleFunc("GET /{$}", s.showSignIn)
	mux.HandleFunc("POST /{$}", s.signIn)
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	return s.guard(mux)
}

// guard refuses pages that are not listed, whatever they ask for, and tells those that
// are that they may read the answer.
func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "same-origin")
		h.Add("Vary", "Origin")
		origin := r.Header.Get("Origin")
		switch {
		case origin == "", r.URL.Path == "/" && isOwnOrigin(r, origin):
		case slices.Contains(s.Origins, origin) && r.URL.Path == "/decode":
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Allow-Credentials", "true")
		default:
			s.refuse(w, r, http.StatusForbidden, "a page of a foreign origin asks")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isOwnOrigin reports whether a request comes from a page of this server.
func isOwnOrigin(r *http.Request, origin string) bool {
	_, host, _ := strings.Cut(origin, "://")
	return host == r.Host
}

// refuse answers with a code alone, and logs why.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, code int, why string) {
	s.Log.Warn("a request was refused", zap.Int("code", code), zap.String("why", why), zap.String("from", r.RemoteAddr),
		zap.String("method", r.Method), zap.String("path", r.URL.Path), zap.String("origin", r.Header.Get("Origin")))
	http.Error(w, http.StatusText(code), code)
}

// preflight answers what a browser asks before it sends a page's request.
func (s *server) preflight(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Origin") == "" {
		s.refuse(w, r, http.StatusForbidden, "no origin")
		return
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "POST, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "Authorization, Caller-Type, Content-Type, X-Namespace")
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
}

// decode answers with the payloads of a request in clear.
func (s *server) decode(w http.ResponseWriter, r *http.Request) {
	// A browser sends JSON to another origin only once that has permitted it.
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		s.refuse(w, r, http.StatusUnsupportedMediaType, "the request is not application/json")
		return
	}
	name, err := s.authenticate(r)
	if err != nil {
		s.refuse(w, r, http.StatusUnauthorized, err.Error())
		return
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-r.Context().Done():
		return
	}
	content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		s.refuse(w, r, http.StatusRequestEntityTooLarge, err.Error())
		return
	}
	var asked commonpb.Payloads
	if err := protojson.Unmarshal(content, &asked); err != nil {
		s.refuse(w, r, http.StatusBadRequest, "the request is not a list of payloads")
		return
	}
	answer, err := s.decrypt(asked.GetPayloads())
	if err != nil {
		s.refuse(w, r, http.StatusUnprocessableEntity, err.Error())
		return
	}
	s.Log.Info("payloads were decrypted", zap.String("for", name), zap.Int("payloads", len(answer.Payloads)),
		zap.String("namespace", r.Header.Get("X-Namespace")), zap.String("from", r.RemoteAddr))
	text, err := protojson.Marshal(answer)
	if err != nil {
		s.refuse(w, r, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text) // who asked is gone
}

var errTooLarge = errors.New("the answer would be too large")

// decrypt decrypts one payload after the other, so that their sum is bounded.
func (s *server) decrypt(payloads []*commonpb.Payload) (*commonpb.Payloads, error) {
	answer, size := &commonpb.Payloads{}, 0
	for _, p := range payloads {
		one, err := s.codec.Decode([]*commonpb.Payload{p})
		if err != nil {
			return nil, err
		}
		if size += proto.Size(one[0]); size > maxAnswer {
			return nil, errTooLarge
		}
		answer.Payloads = append(answer.Payloads, one...)
	}
	return answer, nil
}

var errNoToken = errors.New("no token, and nobody has signed in")

// authenticate returns who asks: the holder of the bearer token, or the person who has
// signed in with this browser.
func (s *server) authenticate(r *http.Request) (string, error) {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return s.Authenticate(r.Context(), token)
	}
	if name, ok := s.sessions.find(r, time.Now()); ok {
		return name, nil
	}
	return "", errNoToken
}
