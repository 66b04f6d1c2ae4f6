package deploy_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// composeEnv names a copy of the project that .ci/compose has prepared; without it,
// Docker is not tested.
const composeEnv = "FARMTRUST_COMPOSE"

// container is a service of compose in Docker.
type container struct {
	service string
	file    composeFile
}

func (c container) String() string { return c.service }

// inspection is what Docker knows of a container.
type inspection struct {
	RestartCount int
	State        struct {
		Pid, ExitCode int
		Status        string
		StartedAt     string
		Health        struct{ Status string }
	}
}

// docker runs a command of Docker's client.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	return run(t, nil, append([]string{"docker"}, args...)...)
}

func (c container) inspect(t *testing.T) inspection {
	t.Helper()
	id := strings.TrimSpace(docker(t, "compose", "ps", "--all", "--quiet", c.service))
	var all []inspection
	if err := json.Unmarshal([]byte(docker(t, "inspect", id)), &all); err != nil {
		t.Fatal(err)
	}
	return all[0]
}

// isReady reports whether the service is healthy, or the job has succeeded.
func (c container) isReady(t *testing.T) bool {
	t.Helper()
	state := c.inspect(t).State
	if c.file.Services[c.service].isJob() {
		return state.Status == "exited" && state.ExitCode == 0
	}
	return state.Health.Status == "healthy"
}

// kill ends the container's process from outside. After "docker kill", Docker
// would not restart it.
func (c container) kill(t *testing.T) {
	t.Helper()
	before := c.inspect(t).State
	kill := []string{"kill", "-9", strconv.Itoa(before.Pid)}
	if os.Geteuid() != 0 {
		kill = append([]string{"sudo"}, kill...)
	}
	run(t, nil, kill...)
	poll(t, c.service+" to be restarted and healthy", func() bool {
		now := c.inspect(t).State
		return now.StartedAt != before.StartedAt && now.Health.Status == "healthy"
	})
}

// TestCompose_ARotationSurvivesThatEachPartIsKilled runs docker-compose.yml as it
// is, from an empty database.
func TestCompose_ARotationSurvivesThatEachPartIsKilled(t *testing.T) {
	project := os.Getenv(composeEnv)
	if project == "" {
		t.Skipf("%s does not name a project that .ci/compose prepared", composeEnv)
	}
	t.Chdir(project)
	docker(t, "compose", "up", "--detach", "--build")
	c := readCompose(t, filepath.Join(project, "docker-compose.yml"))
	for service := range c.Services {
		one := container{service, c}
		poll(t, service+" to be ready", func() bool { return one.isReady(t) })
		if n := one.inspect(t).RestartCount; n > 0 {
			t.Errorf("at the first start, %s was restarted %d times", service, n)
		}
	}
	o := &operator{command: []string{"docker", "compose", "exec", "-T", "worker", "farmtrust"}}
	digest := o.rotateUntilApproval(t)
	run(t, nil, "sh", "-ec", pageCommands(t, "pg_basebackup"))
	rotateWhileKilling(t, o, digest, container{"postgres", c}, container{"temporal", c}, container{"ui", c}, container{"guard", c}, container{"codec", c}, container{"worker", c})

	run(t, nil, "sh", "-ec", pageCommands(t, "tar -x"))
	docker(t, "compose", "up", "--detach")
	for service := range c.Services {
		poll(t, service+" to be ready again", func() bool { return container{service, c}.isReady(t) })
	}
	assertOldDatabaseIsNoDanger(t, o, digest)
}

// pageCommands returns the commands of docs/temporal-production.md that contain
// this.
func pageCommands(t *testing.T, containing string) string {
	t.Helper()
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(readFile(t, "docs/temporal-production.md"), -1) {
		if strings.Contains(block[1], containing) {
			return block[1]
		}
	}
	t.Fatalf("docs/temporal-production.md has no commands with %q", containing)
	return ""
}
