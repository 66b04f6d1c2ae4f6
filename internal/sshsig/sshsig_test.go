package sshsig_test

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/sshsig"
)

const namespace = "farmtrust"

// OpenSSH's own program makes the keys and the signatures here.
func TestASignatureOfOpenSSHNamesItsKey(t *testing.T) {
	for name, args := range map[string][]string{
		"ed25519":                 {"-t", "ed25519"},
		"ecdsa 256":               {"-t", "ecdsa", "-b", "256"},
		"ecdsa 384":               {"-t", "ecdsa", "-b", "384"},
		"ecdsa 521":               {"-t", "ecdsa", "-b", "521"},
		"rsa":                     {"-t", "rsa", "-b", "3072"},
		"a comment with anything": {"-t", "ed25519", "-C", "ada@desk 1 # approver"},
	} {
		t.Run(name, func(t *testing.T) {
			key, public := makeKey(t, args...)
			signature := sign(t, key, "approve this\n")
			got, err := sshsig.Verify([]byte("approve this\n"), namespace, signature)
			if err != nil || !got.Equal(public) {
				t.Fatalf("signed by %v, %v; want %v", got, err, public)
			}
			if want := fingerprint(t, key); got.Fingerprint() != want {
				t.Errorf("its fingerprint is %s; OpenSSH says %s", got.Fingerprint(), want)
			}
			if _, err := sshsig.Verify([]byte("approve that\n"), namespace, signature); !errors.Is(err, sshsig.ErrForged) {
				t.Errorf("of another text: %v", err)
			}
			if _, err := sshsig.Verify([]byte("approve this\n"), "file", signature); !errors.Is(err, sshsig.ErrForged) {
				t.Errorf("in another namespace: %v", err)
			}
		})
	}
}

func TestASignatureMayUseEitherHash(t *testing.T) {
	key, public := makeKey(t, "-t", "ed25519")
	for _, hash := range []string{"sha256", "sha512"} {
		got, err := sshsig.Verify([]byte("x"), namespace, sign(t, key, "x", "-O", "hashalg="+hash))
		if err != nil || !got.Equal(public) {
			t.Errorf("with %s: %v, %v", hash, got, err)
		}
	}
}

func TestWhatIsNoSignatureIsRefused(t *testing.T) {
	key, _ := makeKey(t, "-t", "ed25519")
	good := sign(t, key, "x")
	lines := strings.Split(good, "\n")
	for name, text := range map[string]string{
		"nothing":         "",
		"another block":   strings.ReplaceAll(good, "SSH SIGNATURE", "PUBLIC KEY"),
		"text behind it":  good + "x",
		"two of them":     good + good,
		"cut":             strings.Join(append(lines[:2:2], lines[len(lines)-2:]...), "\n"),
		"another version": strings.Replace(good, "U1NIU0lHAAAAAQ", "U1NIU0lHAAAAAg", 1),
		"another magic":   strings.Replace(good, "U1NIU0lH", "U1NIU0lI", 1),
		"huge":            "-----BEGIN SSH SIGNATURE-----\n" + strings.Repeat("AAAA\n", 4000) + "-----END SSH SIGNATURE-----\n",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := sshsig.Verify([]byte("x"), namespace, text); !errors.Is(err, sshsig.ErrInvalid) {
				t.Errorf("got %v; want ErrInvalid", err)
			}
		})
	}
}

func TestWeakAndForeignKeysAreRefused(t *testing.T) {
	weak, _ := os.ReadFile(generate(t, "-t", "rsa", "-b", "2048") + ".pub")
	good, _ := os.ReadFile(generate(t, "-t", "ed25519") + ".pub")
	private, _ := os.ReadFile(generate(t, "-t", "ed25519"))
	for name, c := range map[string]struct{ line, want string }{
		"rsa 2048":      {string(weak), "an RSA key of 2048 bits is too weak"},
		"with options":  {`command="x" ` + string(good), "has options"},
		"two lines":     {string(good) + string(good), "not one line"},
		"nothing":       {"", "not one line"},
		"a private key": {string(private), "private key, which must not be here"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := sshsig.ParseKey(c.line); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v; want %s", err, c.want)
			} else if strings.Contains(err.Error(), "AAAA") && name == "a private key" {
				t.Errorf("the error repeats it: %v", err)
			}
		})
	}
	if _, err := sshsig.Verify([]byte("x"), namespace, sign(t, generate(t, "-t", "rsa", "-b", "2048"), "x")); !errors.Is(err, sshsig.ErrInvalid) {
		t.Errorf("a signature by a weak key: %v", err)
	}
}

// An agent signs with a key whose file is not there.
func TestAnAgentSigns(t *testing.T) {
	key, public := makeKey(t, "-t", "ed25519")
	socket := filepath.Join(t.TempDir(), "agent")
	agent := exec.Command(program(t, "ssh-agent"), "-D", "-a", socket)
	told, err := agent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = agent.Process.Kill(); _ = agent.Wait() })
	// It tells where it is once it listens.
	if line, err := bufio.NewReader(told).ReadString('\n'); err != nil || !strings.Contains(line, socket) {
		t.Fatalf("the agent says %q, %v", line, err)
	}
	t.Setenv("SSH_AUTH_SOCK", socket)
	run(t, "", program(t, "ssh-add"), "-q", key)
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	got, err := sshsig.Verify([]byte("x"), namespace, sign(t, key+".pub", "x"))
	if err != nil || !got.Equal(public) {
		t.Errorf("signed by %v, %v; want %v", got, err, public)
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAQ==\n-----END SSH SIGNATURE-----\n")
	if _, err := exec.LookPath("ssh-keygen"); err == nil {
		f.Add(sign(f, generate(f, "-t", "ed25519"), "x"))
		f.Add(sign(f, generate(f, "-t", "ecdsa"), "x"))
	}
	f.Fuzz(func(t *testing.T, signature string) {
		key, err := sshsig.Verify([]byte("nobody signed this"), namespace, signature)
		if err == nil {
			t.Errorf("%v has signed it", key)
		}
	})
}

func makeKey(t testing.TB, args ...string) (path string, public sshsig.Key) {
	t.Helper()
	path = generate(t, args...)
	line, err := os.ReadFile(path + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	public, err = sshsig.ParseKey(string(line))
	if err != nil {
		t.Fatal(err)
	}
	return path, public
}

func generate(t testing.TB, args ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	run(t, "", program(t, "ssh-keygen"), append([]string{"-q", "-N", "", "-f", path}, args...)...)
	return path
}

func sign(t testing.TB, key, text string, args ...string) string {
	t.Helper()
	return run(t, text, program(t, "ssh-keygen"), append([]string{"-q", "-Y", "sign", "-n", namespace, "-f", key}, args...)...)
}

func fingerprint(t testing.TB, key string) string {
	t.Helper()
	return strings.Fields(run(t, "", program(t, "ssh-keygen"), "-l", "-f", key))[1]
}

func program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skip("OpenSSH is not here: install openssh-client")
	}
	return path
}

func run(t testing.TB, input, name string, args ...string) string {
	t.Helper()
	var problems strings.Builder
	cmd := exec.Command(name, args...)
	cmd.Stdin, cmd.Stderr = strings.NewReader(input), &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, problems.String())
	}
	return string(out)
}
