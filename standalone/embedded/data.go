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

// The database's file name contains the version of the server that created it,
// since the schema is created once and never upgraded: a server opens the file of
// another version without an error, and then workflows make no progress (seen with
// a file of 1.29.1 under 1.32.1).
const (
	databasePrefix = "temporal-"
	databaseSuffix = ".db"
	unfinished     = ".unfinished"
	lockName       = "lock"
)

// Version is the version of the Temporal server in this program.
const Version = headers.ServerVersion

// DataError is the error for a data directory that cannot be used.
type DataError struct {
	Dir string
	Err error
}

// Error names the directory and the reason.
func (e *DataError) Error() string { return fmt.Sprintf("use data directory %s: %v", e.Dir, e.Err) }

// Unwrap returns the reason.
func (e *DataError) Unwrap() error { return e.Err }

// Reasons why an intact data directory cannot be used.
var (
	ErrInUse        = errors.New("another process uses it; stop that process, or choose another directory")
	ErrOtherVersion = errors.New("another version of the Temporal server wrote it")
)

// store is the server's database, and the lock on its directory.
type store struct {
	sql  *config.SQL
	lock *os.File
}

// openStore opens the database in dir, which it creates on first use, or one in
// memory if dir is empty. Retention applies to a namespace that it creates.
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

// close unlocks the directory. The server closes the database itself.
func (s *store) close() error {
	if s.lock == nil {
		return nil
	}
	return s.lock.Close()
}

// lockDirectory locks the directory for this process. The operating system releases the
// lock when the process ends, however it ends, so none is left behind.
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

// checkVersion returns [ErrOtherVersion] if another version of the server has
// written to dir.
func checkVersion(dir string) error {
	found, err := filepath.Glob(filepath.Join(dir, databasePrefix+"*"+databaseSuffix))
	if err != nil {
		return err
	}
	for _, path := range found {
		version := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), databasePrefix), databaseSuffix)
		if version != Version {
			return fmt.Errorf("%w: %s, and this program contains %s; use the program that wrote it, or choose another directory",
				ErrOtherVersion, version, Version)
		}
	}
	return nil
}

// createDatabase creates the database if it does not exist. The file gets its final
// name last, so the rest of an interrupted creation is recognised and replaced.
func createDatabase(path string, retention time.Duration) error {
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	draft := path + unfinished
	if err := os.RemoveAll(draft); err != nil {
		return err
	}
	// SQLite itself would create a file that is readable by all users.
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

// databaseFile returns the settings for the database in a file. The driver makes the
// name part of a URI, hence the escaping.
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
