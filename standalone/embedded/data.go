package embedded

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/headers"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	schema "go.temporal.io/server/schema/sqlite"
	"google.golang.org/protobuf/types/known/durationpb"
)

// The database's file name carries the version of the server that made it,
// since the schema is made once and never brought up to date: a file that
// another version wrote is opened without a word, and then workflows stand
// still (seen with a file of 1.29.1 under 1.32.1).
const (
	databasePrefix = "temporal-"
	databaseSuffix = ".db"
	unfinished     = ".unfinished"
	lockName       = "lock"
)

// Version is the version of the Temporal server in this program.
const Version = headers.ServerVersion

// DataError says why a data directory cannot be used.
type DataError struct {
	Dir string
	Err error
}

// Error names the directory and the reason.
func (e *DataError) Error() string { return fmt.Sprintf("use data directory %s: %v", e.Dir, e.Err) }

// Unwrap returns the reason.
func (e *DataError) Unwrap() error { return e.Err }

// Why a data directory that is in order cannot be used.
var (
	ErrInUse        = errors.New("another process works on it; stop that one, or choose another directory")
	ErrOtherVersion = errors.New("another version of the Temporal server wrote it")
)

// store is where the server keeps its state.
type store struct {
	sql  *config.SQL
	lock *os.File
}

// openStore opens the database in dir, creating it on first use, or one in
// memory if dir is empty. A namespace that it creates has the given retention.
func openStore(dir string, retention time.Duration) (*store, error) {
	if dir == "" {
		memory := &config.SQL{
			PluginName: sqlite.PluginName, DatabaseName: rand.Text(),
			ConnectAttributes: map[string]string{"mode": "memory", "cache": "shared"},
		}
		return &store{sql: memory}, createNamespace(memory, retention)
	}
	s := new(store)
	if err := s.openDir(dir, retention); err != nil {
		return nil, &DataError{Dir: dir, Err: errors.Join(err, s.close())}
	}
	return s, nil
}

func (s *store) openDir(dir string, retention time.Duration) (err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if s.lock, err = lockDirectory(dir); err != nil {
		return err
	}
	if err := checkVersion(dir); err != nil {
		return err
	}
	path := filepath.Join(dir, databasePrefix+Version+databaseSuffix)
	if err := createDatabase(path, retention); err != nil {
		return fmt.Errorf("create %s: %w", filepath.Base(path), err)
	}
	s.sql = databaseFile(path)
	return nil
}

// close lets go of the directory. The server closes the database.
func (s *store) close() error {
	if s.lock == nil {
		return nil
	}
	return s.lock.Close()
}

// lockDirectory takes the directory for this process. The system lets go of it with
// the process, however that ends, so that no lock is ever left behind.
func lockDirectory(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	switch taken, err := tryLock(f); {
	case err != nil:
		return nil, errors.Join(fmt.Errorf("lock: %w", err), f.Close())
	case !taken:
		return nil, errors.Join(ErrInUse, f.Close())
	}
	return f, nil
}

func checkVersion(dir string) error {
	found, err := filepath.Glob(filepath.Join(dir, databasePrefix+"*"+databaseSuffix))
	if err != nil {
		return err
	}
	for _, path := range found {
		wrote := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), databasePrefix), databaseSuffix)
		if wrote != Version {
			return fmt.Errorf("%w: %s, and this program holds %s; finish with the program that wrote it, or choose another directory",
				ErrOtherVersion, wrote, Version)
		}
	}
	return nil
}

// createDatabase creates the database unless it exists. It gets its name last: one
// that an interrupted creation left is unfinished, and created again.
func createDatabase(path string, retention time.Duration) error {
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	draft := path + unfinished
	if err := os.RemoveAll(draft); err != nil {
		return err
	}
	// SQLite would make a file that everybody can read.
	if err := os.WriteFile(draft, nil, 0o600); err != nil {
		return err
	}
	if err := schema.SetupSchema(databaseFile(draft)); err != nil {
		return err
	}
	if err := createNamespace(databaseFile(draft), retention); err != nil {
		return err
	}
	return os.Rename(draft, path)
}

// databaseFile is a database in a file. Its name becomes part of a URI.
func databaseFile(path string) *config.SQL {
	return &config.SQL{
		PluginName: sqlite.PluginName, DatabaseName: (&url.URL{Path: path}).EscapedPath(),
		ConnectAttributes: map[string]string{"mode": "rw"},
	}
}

func createNamespace(sql *config.SQL, retention time.Duration) error {
	namespace, err := schema.NewNamespaceConfig(clusterName, Namespace, false, nil)
	if err != nil {
		return fmt.Errorf("describe namespace: %w", err)
	}
	namespace.Detail.Config.Retention = durationpb.New(retention)
	if err := schema.CreateNamespaces(sql, namespace); err != nil {
		return fmt.Errorf("create namespace: %w", err)
	}
	return nil
}
