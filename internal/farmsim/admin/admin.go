// Package admin serves a simulated farm to operators and tests: its
// state as JSON, and what is to go wrong next.
//
// It listens where it is told, knows no users, and changes nothing but the
// list of faults: it belongs on a loopback address.
package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

// Farm is what is served.
type Farm interface {
	// State returns everything, without private keys.
	State() model.State
	// AddFaults plans faults, or none of them if one could never happen.
	AddFaults(faults ...fault.Fault) error
	// ClearFaults forgets all planned faults, and lifts what they made true.
	ClearFaults()
	// Pending lists the faults that are still to happen.
	Pending() []fault.Fault
}

// maxBody is the largest body that is read, in bytes.
const maxBody = 1 << 20

// Handler serves GET /state, GET, POST and DELETE /faults and GET /rules. An
// empty POST to /faults clears them as DELETE does.
func Handler(farm Farm) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /state", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, farm.State()) })
	mux.HandleFunc("GET /rules", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, model.Rules()) })
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, farm.Pending()) })
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, _ *http.Request) {
		farm.ClearFaults()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /faults", func(w http.ResponseWriter, r *http.Request) {
		if status, err := post(farm, http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
			writeJSON(w, status, problem{err.Error()})
			return
		}
		writeJSON(w, http.StatusOK, farm.Pending())
	})
	return mux
}

type problem struct {
	Error string `json:"error"`
}

// post adds faults, and says with which status it refuses.
func post(farm Farm, body io.Reader) (status int, err error) {
	content, err := io.ReadAll(body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge, fmt.Errorf("the body is larger than %d bytes", tooLarge.Limit)
	case err != nil:
		return http.StatusBadRequest, fmt.Errorf("read the body: %w", err)
	case len(content) == 0:
		farm.ClearFaults()
		return http.StatusOK, nil
	}
	faults, err := fault.Decode(content)
	if err == nil {
		err = farm.AddFaults(faults...)
	}
	return http.StatusBadRequest, err
}

// writeJSON writes JSON. That a client went away is no news here.
func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(value)
}
