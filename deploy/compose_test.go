// Package deploy_test checks what ships in deploy and docker-compose.yml: that the
// file and the pages agree, and, where PostgreSQL is installed, that its services
// work together, each built from the version that the file names.
package deploy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const composePath = "../docker-compose.yml"

// composeFile is what the tests read of docker-compose.yml.
type composeFile struct {
	Services map[string]service `yaml:"services"`
	Secrets  map[string]struct {
		File string `yaml:"file"`
	} `yaml:"secrets"`
}

type service struct {
	Image       string            `yaml:"image"`
	Command     []string          `yaml:"command"`
	Environment map[string]string `yaml:"environment"`
	Secrets     []string          `yaml:"secrets"`
	Volumes     []string          `yaml:"volumes"`
	Restart     string            `yaml:"restart"`
	Healthcheck struct {
		Test []string `yaml:"test"`
	} `yaml:"healthcheck"`
	DependsOn map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
}

// tag is the version of the service's image.
func (s service) tag() string {
	_, tag, _ := strings.Cut(withoutDigest(s.Image), ":")
	return tag
}

// withoutDigest is an image as it is spoken of.
func withoutDigest(image string) string {
	name, _, _ := strings.Cut(image, "@")
	return name
}

// isJob reports whether the service ends by itself.
func (s service) isJob() bool { return s.Restart == "" }

func readCompose(t *testing.T, path string) composeFile {
	t.Helper()
	var c composeFile
	if err := yaml.Unmarshal([]byte(readFile(t, path)), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestCompose_WhatRunsHasAHealthCheckAndIsRestarted(t *testing.T) {
	for name, s := range readCompose(t, composePath).Services {
		t.Run(name, func(t *testing.T) {
			if s.isJob() {
				return
			}
			if s.Restart != "unless-stopped" {
				t.Errorf("restart is %q", s.Restart)
			}
			if len(s.Healthcheck.Test) < 2 || s.Healthcheck.Test[0] != "CMD" {
				t.Errorf("the health check is %q", s.Healthcheck.Test)
			}
		})
	}
}

// What depends on a service waits until it can be used.
func TestCompose_DependenciesAreReadyFirst(t *testing.T) {
	c := readCompose(t, composePath)
	for name, s := range c.Services {
		for on, how := range s.DependsOn {
			want := "service_healthy"
			if c.Services[on].isJob() {
				want = "service_completed_successfully"
			}
			if how.Condition != want {
				t.Errorf("%s depends on %s with %q, want %s", name, on, how.Condition, want)
			}
		}
	}
}

func TestCompose_ServerAndToolsHaveOneVersion(t *testing.T) {
	c := readCompose(t, composePath)
	if server, tools := c.Services["temporal"].Image, c.Services["schema"].Image; c.Services["temporal"].tag() != c.Services["schema"].tag() {
		t.Errorf("%s and %s differ in version", server, tools)
	}
}

// farmtrust-standalone, whose tests are most of what is known about Temporal here,
// embeds the same versions.
func TestCompose_VersionsAreThoseOfTheEmbeddedServer(t *testing.T) {
	c, module := readCompose(t, composePath), readFile(t, "../standalone/go.mod")
	for service, path := range map[string]string{"temporal": serverModule, "ui": uiModule} {
		if line := path + " v" + c.Services[service].tag() + "\n"; !strings.Contains(module, line) {
			t.Errorf("standalone/go.mod does not require %s", strings.TrimSpace(line))
		}
	}
}

func TestDependencies_ListEveryImage(t *testing.T) {
	page := readFile(t, "../docs/dependencies.md")
	images := []string{}
	for _, s := range readCompose(t, composePath).Services {
		images = append(images, s.Image)
	}
	for _, from := range regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(readFile(t, "Dockerfile"), -1) {
		images = append(images, from[1])
	}
	for _, image := range images {
		if image != "scratch" && !strings.HasSuffix(image, ":local") && !strings.Contains(page, "`"+withoutDigest(image)+"`") {
			t.Errorf("docs/dependencies.md does not list %s", image)
		}
	}
}

// A configuration that follows the examples works in the worker's container.
func TestPages_ExamplesNameWhatTheWorkersContainerHas(t *testing.T) {
	c := readCompose(t, composePath)
	worker := c.Services["worker"]
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "../README.md") {
		text := readFile(t, page)
		for _, secret := range regexp.MustCompile(`file:/run/secrets/([\w-]+)`).FindAllStringSubmatch(text, -1) {
			if !slices.Contains(worker.Secrets, secret[1]) || c.Secrets[secret[1]].File == "" {
				t.Errorf("%s: the worker in docker-compose.yml has no secret %s", page, secret[1])
			}
		}
		for _, path := range regexp.MustCompile(`(?:path|ca): (/[\w./-]+)`).FindAllStringSubmatch(text, -1) {
			if !slices.ContainsFunc(worker.Volumes, func(v string) bool { return isMountedAt(v, path[1]) }) {
				t.Errorf("%s: the worker in docker-compose.yml has nothing at %s", page, path[1])
			}
		}
	}
}

// isMountedAt reports whether a volume, "source:target:ro", has the path in it.
func isMountedAt(volume, path string) bool {
	target := strings.TrimSuffix(volume, ":ro")
	target = target[strings.LastIndex(target, ":")+1:]
	return path == target || strings.HasPrefix(path, target+"/")
}

// Nothing but the guard and the codec server, which asks for a token, is published, and on
// this machine only: Temporal asks for a certificate, but its other services are nobody's
// business.
func TestCompose_PublishesTheGuardAndTheCodecServerToThisMachineAlone(t *testing.T) {
	var file struct {
		Services map[string]struct {
			Ports       []string `yaml:"ports"`
			NetworkMode string   `yaml:"network_mode"`
		} `yaml:"services"`
	}
	if err := yaml.Unmarshal([]byte(readFile(t, composePath)), &file); err != nil {
		t.Fatal(err)
	}
	published := map[string]string{"ui": "127.0.0.1:8233:8081", "codec": "127.0.0.1:8235:8235"}
	for name, s := range file.Services {
		for _, port := range s.Ports {
			if published[name] != port {
				t.Errorf("%s publishes %s", name, port)
			}
		}
	}
	if mode := file.Services["guard"].NetworkMode; mode != "service:ui" {
		t.Errorf("the guard's network is %q, and the UI listens on 127.0.0.1 of its own", mode)
	}
	if !strings.Contains(readFile(t, "temporal/ui.yaml"), "host: 127.0.0.1\n") {
		t.Error("the UI listens for everybody")
	}
}

// Who runs something of ours or of Temporal's has a limit of memory: a hostile
// answer is not to take the machine.
func TestCompose_WhatRunsHasLimits(t *testing.T) {
	var file struct {
		Services map[string]struct {
			Restart  string `yaml:"restart"`
			MemLimit string `yaml:"mem_limit"`
			Pids     int    `yaml:"pids_limit"`
		} `yaml:"services"`
	}
	if err := yaml.Unmarshal([]byte(readFile(t, composePath)), &file); err != nil {
		t.Fatal(err)
	}
	for name, s := range file.Services {
		if s.Restart != "" && (s.MemLimit == "" || s.Pids == 0) {
			t.Errorf("%s has the memory limit %q and the process limit %d", name, s.MemLimit, s.Pids)
		}
	}
}

func TestPages_SayDockerCompose(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "../README.md", "../docker-compose.yml") {
		if strings.Contains(readFile(t, page), "docker-compose ") {
			t.Errorf("%s names the old docker-compose command", page)
		}
	}
}
