package deploy_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// postgresEnv names the folder of PostgreSQL's programs, such as
// /usr/lib/postgresql/15/bin; without it, the topology is not tested.
const postgresEnv = "FARMTRUST_POSTGRES"

// topology runs the services of docker-compose.yml as processes of this machine:
// the same programs, versions, files and variables. Only the images and the
// network are missing: names of services are addresses here, and ports are free
// ones.
type topology struct {
	file     composeFile
	programs programs
	// postgres is the folder of PostgreSQL's programs.
	postgres string
	// dir has the secrets, the database and the logs.
	dir string
	// words are values that differ here, paths beginnings that do.
	words map[string]string
	paths *strings.Replacer
	ports map[string]string
}

func newTopology(t *testing.T) *topology {
	t.Helper()
	postgres := os.Getenv(postgresEnv)
	if postgres == "" {
		t.Skipf("%s does not name the folder of PostgreSQL's programs", postgresEnv)
	}
	dir, err := os.MkdirTemp("", "farmtrust-topology-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	shipped, err := filepath.Abs("temporal")
	if err != nil {
		t.Fatal(err)
	}
	file := readCompose(t, composePath)
	top := &topology{file: file, programs: buildPrograms(t, file), postgres: postgres, dir: dir, ports: choosePorts(t)}
	top.paths = strings.NewReplacer(
		"/run/secrets/", dir+"/secrets/",
		"/deploy/", shipped+"/",
		"/etc/temporal/", filepath.Join(top.programs.server, "docker", "scripts", "sh")+"/",
		"/tls", dir+"/tls", "/keys", dir+"/keys",
		":1C41 ", ":"+hexPort(t, top.ports["FRONTEND_GRPC_PORT"])+" ",
		"127.0.0.1:8080", "127.0.0.1:"+top.ports["TEMPORAL_UI_PORT"],
		"0.0.0.0:8081", "127.0.0.1:"+top.ports["GUARD_PORT"],
		"127.0.0.1:8233", "127.0.0.1:"+top.ports["GUARD_PORT"],
		"0.0.0.0:8235", "127.0.0.1:"+top.ports["CODEC_PORT"],
		"127.0.0.1:8235", "127.0.0.1:"+top.ports["CODEC_PORT"],
	)
	top.words = map[string]string{
		"postgres": "127.0.0.1", "0.0.0.0": "127.0.0.1", "5432": top.ports["PGPORT"],
		"temporal:7233": top.address(),
	}
	top.writeSecret(t)
	top.makeVolumes(t)
	return top
}

// address is where Temporal's frontend listens.
func (top *topology) address() string { return "127.0.0.1:" + top.ports["FRONTEND_GRPC_PORT"] }

// writeSecret writes the database's password, which PostgreSQL reads as another
// user when the tests run as root.
func (top *topology) writeSecret(t *testing.T) {
	t.Helper()
	if err := os.Chmod(top.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(top.dir, "secrets"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(top.dir, "secrets", "postgres"), []byte("a-password\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(top.dir, "secrets", "codec"), []byte("ada "+strings.Repeat("a", 64)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// makeVolumes makes the folders that are volumes of services, as the image has them.
func (top *topology) makeVolumes(t *testing.T) {
	t.Helper()
	for _, s := range top.file.Services {
		for _, volume := range s.Volumes {
			name, target, _ := strings.Cut(volume, ":")
			target, _, _ = strings.Cut(target, ":")
			if strings.ContainsAny(name, "./$") || !strings.HasPrefix(top.adapt(target), top.dir) {
				continue
			}
			if err := os.MkdirAll(top.adapt(target), 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// choosePorts returns free ports by the names of variables. All are below 32768:
// Temporal stores those of its membership as signed 16-bit numbers.
func choosePorts(t *testing.T) map[string]string {
	t.Helper()
	const lowest, highest = 20000, 32767
	ports := map[string]string{}
	for _, name := range []string{
		"PGPORT", "TEMPORAL_UI_PORT", "GUARD_PORT", "CODEC_PORT", "FRONTEND_GRPC_PORT", "FRONTEND_MEMBERSHIP_PORT",
		"HISTORY_GRPC_PORT", "HISTORY_MEMBERSHIP_PORT", "MATCHING_GRPC_PORT", "MATCHING_MEMBERSHIP_PORT",
		"WORKER_GRPC_PORT", "WORKER_MEMBERSHIP_PORT",
	} {
		for ports[name] == "" {
			l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(lowest+rand.IntN(highest-lowest))))
			if err != nil {
				continue // taken
			}
			defer l.Close() // once all are chosen, so that no two are the same
			_, ports[name], _ = net.SplitHostPort(l.Addr().String())
		}
	}
	return ports
}

// hexPort is a port as /proc/net/tcp writes it.
func hexPort(t *testing.T, port string) string {
	t.Helper()
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%04X", n)
}

// adapt is a value of compose as it is on this machine.
func (top *topology) adapt(value string) string {
	if word, ok := top.words[value]; ok {
		return word
	}
	return top.paths.Replace(value)
}

func (top *topology) adaptAll(values []string) []string {
	var all []string
	for _, v := range values {
		all = append(all, top.adapt(v))
	}
	return all
}

// env is the environment of a service, and what it needs here beyond that: ports,
// and programs.
func (top *topology) env(service string) []string {
	env := []string{
		"PATH=" + strings.Join([]string{top.programs.dir, top.postgres, os.Getenv("PATH")}, ":"),
		"HOME=" + top.dir, "TMPDIR=" + top.dir,
	}
	for name, value := range top.file.Services[service].Environment {
		env = append(env, name+"="+top.adapt(value))
	}
	for name, port := range top.ports {
		env = append(env, name+"="+port)
	}
	return env
}

// process returns a service with the command of compose, or with this one.
func (top *topology) process(service string, command ...string) *process {
	if command == nil {
		command = top.adaptAll(top.file.Services[service].Command)
	}
	return &process{
		name: service, args: command, env: top.env(service), dir: top.dir,
		health: top.adaptAll(top.file.Services[service].Healthcheck.Test[1:]),
	}
}

// runJob runs a job of compose to its end.
func (top *topology) runJob(t *testing.T, service string) {
	t.Helper()
	run(t, top.env(service), top.lookUp(top.adaptAll(top.file.Services[service].Command))...)
}

// lookUp makes the program's name a path, which exec looks up before it knows the
// environment.
func (top *topology) lookUp(command []string) []string {
	if path := top.programs.path(command[0]); !strings.Contains(command[0], "/") {
		return append([]string{path}, command[1:]...)
	}
	return command
}

// startFarm starts a simulated farm whose certificate is due for renewal and whose
// cutover needs an approval, and returns the path of its configuration.
func (top *topology) startFarm(t *testing.T) string {
	t.Helper()
	// So slow that a rotation is still running when all parts have been killed.
	command := exec.CommandContext(t.Context(), top.programs.path("farmsim"), "-trusting", "-latency", "400ms")
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Stderr = os.Stderr
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGINT) }
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Wait() })
	var ready struct{ Config string }
	if err := json.NewDecoder(stdout).Decode(&ready); err != nil {
		t.Fatal(err)
	}
	top.completeConfig(t, ready.Config)
	return ready.Config
}

// completeConfig adds to a configuration what the head of docker-compose.yml asks for,
// and an approval.
func (top *topology) completeConfig(t *testing.T, config string) {
	t.Helper()
	content := readFile(t, config) + top.adapt("keys: {seal: file:/keys/seal/ring, payloads: file:/keys/payloads/ring}\n")
	changed := strings.Replace(content, "approval: none", "approval: required", 1)
	if changed == content {
		t.Fatalf("%s does not say approval: none:\n%s", config, content)
	}
	if err := os.WriteFile(config, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
}

// get asks the UI, through its guard.
func (top *topology) get(t *testing.T, path string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:"+top.ports["GUARD_PORT"]+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v\n%s", path, response.Status, err, body)
	}
	return string(body)
}

// TestTopology_ARotationSurvivesThatEachPartIsKilled starts what compose starts, in
// its order, and kills each part while a rotation waits and again while it runs. In the
// end workers become versions of a deployment.
func TestTopology_ARotationSurvivesThatEachPartIsKilled(t *testing.T) {
	top := newTopology(t)
	postgres := top.database(t)
	postgres.start(t, top.dir)
	top.runJob(t, "schema")
	top.runJob(t, "schema")
	for _, job := range []string{"certificates", "payload-keys", "seal-keys"} {
		top.runJob(t, job)
		top.runJob(t, job)
	}
	// Alpine's sh, which knows pipefail, is bash here.
	temporal := top.process("temporal")
	temporal.args = append(temporal.args[:len(temporal.args)-1:len(temporal.args)-1], "/bin/bash", temporal.args[len(temporal.args)-1])
	temporal.start(t, top.dir)
	top.runJob(t, "namespace")
	top.runJob(t, "namespace")
	ui := top.process("ui", top.programs.path("ui-server"), "--root", top.uiFolder(t), "--env", "docker", "start")
	ui.start(t, top.dir)
	guard := top.process("guard")
	guard.args, guard.health = top.lookUp(guard.args), top.lookUp(guard.health)
	guard.start(t, top.dir)
	top.assertOnlyItsOwnGetIn(t)
	top.assertUIAnswersItsOwnPagesAlone(t)
	codec := top.process("codec")
	codec.args, codec.health = top.lookUp(codec.args), top.lookUp(codec.health)
	codec.start(t, top.dir)
	worker := top.worker(top.startFarm(t))
	worker.start(t, top.dir)

	o := &operator{command: []string{top.programs.path("farmtrust")}, env: append(top.env("worker"), "USER=operator")}
	digest := o.rotateUntilApproval(t)
	backup := top.backUp(t, postgres)
	rotateWhileKilling(t, o, digest, postgres, temporal, ui, guard, codec, worker)
	if page := top.get(t, "/api/v1/namespaces/default/workflows?query="+url.QueryEscape(`WorkflowId = "rotate/contoso"`)); !strings.Contains(page, "WORKFLOW_EXECUTION_STATUS_COMPLETED") {
		t.Errorf("the UI does not show that the rotation has ended:\n%s", page)
	}
	top.runJob(t, "schema")

	worker.stop(t)
	temporal.stop(t)
	top.restore(t, postgres, backup)
	temporal.resume(t)
	worker.resume(t)
	assertOldDatabaseIsNoDanger(t, o, digest)
	top.assertVersionsAreKept(t)
}

// uiFolder has the files of the UI's image, with what compose adds to them.
func (top *topology) uiFolder(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(top.dir, "ui-server", "config")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, source := range map[string]string{
		"docker.yaml": filepath.Join(top.programs.ui, "config", "docker.yaml"), "base.yaml": filepath.Join("temporal", "ui.yaml"),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(readFile(t, source)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Dir(folder)
}

// worker returns the worker's service with this configuration.
func (top *topology) worker(config string) *process {
	top.words["/etc/farmtrust/farmtrust.yaml"] = config
	p := top.process("worker")
	p.args, p.health = top.lookUp(p.args), top.lookUp(p.health)
	return p
}
