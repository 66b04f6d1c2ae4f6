package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// database prepares a cluster as the image does, and returns its service.
func (top *topology) database(t *testing.T) *process {
	t.Helper()
	home := filepath.Join(top.dir, "database")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	user := findPostgresUser(t, home)
	data, environment := top.data(), top.file.Services["postgres"].Environment
	initialize := exec.CommandContext(t.Context(), filepath.Join(top.postgres, "initdb"), "--pgdata="+data, "--auth=scram-sha-256",
		"--username="+environment["POSTGRES_USER"], "--pwfile="+top.adapt(environment["POSTGRES_PASSWORD_FILE"]), "--locale=C.UTF-8")
	initialize.SysProcAttr = &syscall.SysProcAttr{Credential: user}
	initialize.Dir = home
	if out, err := initialize.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	p := top.process("postgres", filepath.Join(top.postgres, "postgres"), "-D", data, "-k", home, "-h", "127.0.0.1")
	p.user, p.dir = user, home
	return p
}

// findPostgresUser returns whom PostgreSQL runs as, and gives them a folder: it
// refuses to run as root.
func findPostgresUser(t *testing.T, folder string) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	const nobody = 65534
	if err := os.Chown(folder, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: nobody, Gid: nobody}
}

// data is the folder of the database's cluster.
func (top *topology) data() string { return filepath.Join(top.dir, "database", "data") }

// backUp copies the running cluster, as docs/temporal-production.md says.
func (top *topology) backUp(t *testing.T, postgres *process) (folder string) {
	t.Helper()
	folder = filepath.Join(top.dir, "database", "backup")
	environment := top.file.Services["postgres"].Environment
	password := readFile(t, top.adapt(environment["POSTGRES_PASSWORD_FILE"]))
	copied := exec.CommandContext(t.Context(), filepath.Join(top.postgres, "pg_basebackup"), "--pgdata="+folder, "--checkpoint=fast",
		"--host=127.0.0.1", "--username="+environment["POSTGRES_USER"])
	copied.Env = append(postgres.env, "PGPASSWORD="+strings.TrimSpace(password))
	copied.SysProcAttr = &syscall.SysProcAttr{Credential: postgres.user}
	copied.Dir = postgres.dir
	if out, err := copied.CombinedOutput(); err != nil {
		t.Fatalf("pg_basebackup: %v\n%s", err, out)
	}
	return folder
}

// restore replaces the cluster by a backup.
func (top *topology) restore(t *testing.T, postgres *process, backup string) {
	t.Helper()
	postgres.stop(t)
	if err := os.RemoveAll(top.data()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(backup, top.data()); err != nil {
		t.Fatal(err)
	}
	postgres.resume(t)
}
