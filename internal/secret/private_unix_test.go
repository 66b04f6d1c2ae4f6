//go:build !windows

package secret_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/secret"
)

func TestCheckPrivate_Modes(t *testing.T) {
	t.Run("a file of the user is for the user alone", func(t *testing.T) {
		path := privateFile(t)
		makeOwner(t, path, 1001, 1001)
		for mode, command := range map[os.FileMode]string{
			0o400: "", 0o600: "", 0o700: "",
			0o640: "chmod go= " + path, 0o620: "chmod go= " + path, 0o610: "chmod go= " + path,
			0o604: "chmod go= " + path, 0o602: "chmod go= " + path, 0o644: "chmod go= " + path, 0o666: "chmod go= " + path, 0o777: "chmod go= " + path,
		} {
			assertMode(t, path, mode, command)
		}
	})

	t.Run("a file of root may be read by the group that root chose", func(t *testing.T) {
		path := privateFile(t)
		makeOwner(t, path, 0, 1001)
		for mode, command := range map[os.FileMode]string{
			0o400: "", 0o600: "", 0o440: "", 0o640: "",
			0o660: "chmod g-w,o= " + path, 0o644: "chmod g-w,o= " + path, 0o444: "chmod g-w,o= " + path,
		} {
			assertMode(t, path, mode, command)
		}
	})

	t.Run("nobody else may write to a folder", func(t *testing.T) {
		folder := filepath.Join(t.TempDir(), "folder")
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		makeOwner(t, folder, 1001, 2000)
		for mode, command := range map[os.FileMode]string{
			0o700: "", 0o755: "", 0o711: "",
			0o770: "chmod go-w " + folder, 0o775: "chmod go-w " + folder,
			0o777: "chmod go-w " + folder, 0o702: "chmod go-w " + folder, 0o777 | os.ModeSticky: "chmod go-w " + folder,
		} {
			assertMode(t, folder, mode, command)
		}
		makeOwner(t, folder, 1001, 1001)
		assertMode(t, folder, 0o775, "") // the user's own group
	})

	t.Run("nobody else may exchange a folder above", func(t *testing.T) {
		above := filepath.Join(t.TempDir(), "it's above")
		path := filepath.Join(above, "below", "secret")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := secret.Create(path, []byte("x")); err != nil {
			t.Fatal(err)
		}
		quoted := strings.ReplaceAll("chmod go-w '"+above+"'", "it's", `it'\''s`)
		for mode, command := range map[os.FileMode]string{
			0o755: "", 0o777 | os.ModeSticky: "", 0o777: quoted,
		} {
			chmod(t, above, mode)
			err := secret.CheckPrivate(path)
			if command == "" && err != nil {
				t.Errorf("mode %v: %v", mode, err)
			}
			if command != "" {
				assertExposed(t, err, above, command)
			}
		}
		// The command that is named closes it, when pasted.
		if out, err := exec.CommandContext(t.Context(), "sh", "-c", quoted).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if err := secret.CheckPrivate(path); err != nil {
			t.Errorf("after %s: %v", quoted, err)
		}
	})

	t.Run("a link is judged by where it is and by what it names", func(t *testing.T) {
		path := privateFile(t)
		open := filepath.Join(t.TempDir(), "open")
		if err := os.Mkdir(open, 0o700); err != nil {
			t.Fatal(err)
		}
		link := filepath.Join(open, "link")
		if err := os.Symlink(path, link); err != nil {
			t.Fatal(err)
		}
		if err := secret.CheckPrivate(link); err != nil {
			t.Error(err)
		}
		chmod(t, open, 0o777)
		assertExposed(t, secret.CheckPrivate(link), open, "chmod go-w "+open)
		chmod(t, open, 0o700)
		chmod(t, path, 0o644)
		assertExposed(t, secret.CheckPrivate(link), path, closing(t, path))
	})
}

// A worker that is not root may not use what another user can exchange; in a container,
// root reads files of the host's users.
func TestCheckPrivate_Owners(t *testing.T) {
	if os.Getenv("FARMTRUST_TEST_CHECK") != "" {
		if err := secret.CheckPrivate(os.Getenv("FARMTRUST_TEST_CHECK")); err != nil {
			t.Log(err)
			os.Exit(3)
		}
		return
	}
	path := privateFile(t)
	makeOwner(t, path, 1001, 1001)
	if err := secret.CheckPrivate(path); err != nil {
		t.Errorf("as root: %v", err)
	}
	for user, want := range map[uint32]int{1001: 0, 1002: 3} {
		check := exec.CommandContext(t.Context(), testProgram(t), "-test.run=TestCheckPrivate_Owners", "-test.v")
		check.Env = append(os.Environ(), "FARMTRUST_TEST_CHECK="+path)
		check.Dir = "/"
		check.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
		out, _ := check.CombinedOutput()
		if got := check.ProcessState.ExitCode(); got != want {
			t.Errorf("as user %d: exit %d, want %d\n%s", user, got, want, out)
		}
		if want == 3 && !strings.Contains(string(out), "open to others: "+path+" belongs to user 1001: chown 1002 "+path) {
			t.Errorf("as user %d:\n%s", user, out)
		}
	}
}

func TestResolve_Exposed(t *testing.T) {
	t.Run("an open file is refused, and its content not told", func(t *testing.T) {
		path := privateFile(t)
		chmod(t, path, 0o644)
		_, err := secret.Ref("file:" + path).Resolve()
		assertExposed(t, err, path, closing(t, path))
		if strings.Contains(err.Error(), password) {
			t.Errorf("%v holds the secret", err)
		}
	})

	t.Run("a named pipe does not block", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "pipe")
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := secret.Ref("file:" + path).Resolve()
			done <- err
		}()
		select {
		case err := <-done:
			want := "read secret file:" + path + ": " + path + " is not a regular file"
			if err == nil || err.Error() != want {
				t.Errorf("got %v; want %s", err, want)
			}
		case <-time.After(10 * time.Second):
			t.Error("still blocked after 10 s")
		}
	})
}

// closing is the command that closes a file of the user who runs this test.
func closing(t *testing.T, path string) string {
	t.Helper()
	if os.Geteuid() == 0 {
		return "chmod g-w,o= " + path
	}
	return "chmod go= " + path
}

func privateFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := secret.Create(path, []byte(password)); err != nil {
		t.Fatal(err)
	}
	return path
}

func assertMode(t *testing.T, path string, mode os.FileMode, command string) {
	t.Helper()
	chmod(t, path, mode)
	err := secret.CheckPrivate(path)
	if command == "" && err != nil {
		t.Errorf("mode %v: %v", mode, err)
	}
	if command != "" {
		assertExposed(t, err, path, command)
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// makeOwner gives a path to another user; only root can.
func makeOwner(t *testing.T, path string, user, group int) {
	t.Helper()
	if err := os.Chown(path, user, group); errors.Is(err, os.ErrPermission) {
		t.Skip("only root can give a file to another user")
	} else if err != nil {
		t.Fatal(err)
	}
	// Users of the test reach it through the folders that testing made.
	for folder := filepath.Dir(path); folder != os.TempDir() && folder != "/"; folder = filepath.Dir(folder) {
		if err := os.Chmod(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// testProgram copies this test to where any user can run it.
func testProgram(t *testing.T) string {
	t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Skip("needs /proc")
	}
	path := filepath.Join(t.TempDir(), "test")
	if err := os.WriteFile(path, self, 0o755); err != nil {
		t.Fatal(err)
	}
	makeOwner(t, path, 0, 0)
	return path
}
