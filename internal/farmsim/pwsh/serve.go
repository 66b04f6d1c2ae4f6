package pwsh

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

// Served is the model of a server that PowerShells outside of an [Engine] call.
type Served struct {
	// Environment are the variables by which they find it.
	Environment []string

	server *server
}

// Serve installs the products' stubs in a folder, with the source of the object
// model, for PowerShells of a real Windows server, and lets them act in session
// until [Served.Close].
func Serve(session *model.Session, folder string) (*Served, error) {
	if err := installStubs(folder); err != nil {
		return nil, err
	}
	const private = 0o600
	if err := os.WriteFile(filepath.Join(folder, "Microsoft.SharePoint.cs"), []byte(ObjectModel()), private); err != nil {
		return nil, fmt.Errorf("install stubs: %w", err)
	}
	s, err := startServer()
	if err != nil {
		return nil, err
	}
	p := s.authorize(Call{Session: session}, func() {}) // Nothing is to be stopped.
	return &Served{server: s, Environment: []string{"FARMTRUST_MODEL=" + s.address(), "FARMTRUST_TOKEN=" + p.token}}, nil
}

// Close ends it.
func (s *Served) Close() error { return s.server.close() }
