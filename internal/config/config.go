// Package config reads the YAML file that configures farmtrust, and reports all of
// its problems at once, with line numbers.
//
// It connects to nothing and opens nothing that the file names, such as secrets: the
// worker may be on another machine. Package preflight does that. docs/configuration.md is the
// reference of the file's keys; a test keeps the two in agreement.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/secret"
)

// MaxSize is the largest configuration file that is read, in bytes: room for
// 1,000 farms of ten servers.
const MaxSize = 1 << 20

// ErrUnknownFarm is the error for a farm that is not configured. An error that
// names the file and the most similar farm wraps it.
var ErrUnknownFarm = errors.New("unknown farm")

// Config is what the file says, with every default filled in.
type Config struct {
	// Path is the path that the file was loaded from. Paths inside the file are
	// relative to its folder.
	Path string
	// Site is whose task queue the worker polls; empty for none.
	Site string
	// Worker is how the worker works, whatever its farms are.
	Worker Worker
	// Audit is where the worker records decisions and changes; nil is nowhere.
	Audit *Audit
	// Notify is who tells operators what they need to know; nil is nobody.
	Notify *Notify
	// Keys are the worker's key rings.
	Keys Keys
	// Metrics is the address on which it is served what became of events, HOST:PORT; empty
	// for none.
	Metrics string
	// Listen is the door for expiry events; nil is none.
	Listen *Listen
	// Pull are the sources whose events are taken from where they wait.
	Pull []Pull
	// Farms are in the order of the file.
	Farms []Farm
	// Connections are keyed by the names that servers refer to.
	Connections map[string]Connection
	// Approvers are who may decide about the farms; nil where anybody may who reaches
	// Temporal.
	Approvers *Approvers
	// Warnings are settings that are allowed but risky or useless.
	Warnings []Problem
}

// Worker is how a worker works.
type Worker struct {
	// ConcurrentCalls is how many scripts run on servers at once, over all farms.
	ConcurrentCalls int
	// Mode is [farm.ModeObserve] where the worker changes nothing: all of its farms then
	// have that mode too.
	Mode farm.Mode
}

// Audit is where a worker records what is decided and changed.
type Audit struct {
	// File is the path of the log, and its folder exists.
	File string
	// Syslog is the URL of a syslog server that gets each line too, such as
	// tcp://siem.contoso.com:601; empty means none.
	Syslog string
	// EventLog has the Windows event log get each line too.
	EventLog bool
}

// Farm is one farm and the source of its certificates.
type Farm struct {
	farm.Farm
	Source Source
}

// Source is where a farm's certificates come from; exactly one field is set.
type Source struct {
	Directory  *Directory
	SelfSigned *SelfSigned
}

// Directory is a source that takes certificates from the PFX files in a folder.
type Directory struct {
	// Path is the folder, absolute or relative to the working directory.
	Path string
	// Password opens every PFX file in the folder.
	Password secret.Ref
}

// SelfSigned is a source that creates self-signed certificates and keeps them in
// a folder.
type SelfSigned struct {
	Directory
	// Subject is the prefix of the common name; the time of creation follows it.
	Subject string
	// ValidFor is how long a new certificate is valid.
	ValidFor time.Duration
}

// Connection is how to connect to servers over WinRM.
type Connection struct {
	Auth Auth
	// User is an account name: NAME, NAME@DOMAIN or DOMAIN\NAME.
	User     string
	Password secret.Ref
	// CA is a file of PEM certificates that the servers' certificates are verified
	// against; empty means the CAs that the system trusts.
	CA string
	// AllowUnverified accepts any server certificate, so that an attacker on the
	// network path can read and change everything; for test environments only.
	AllowUnverified bool
}

// Auth is how a connection authenticates.
type Auth string

const (
	// Basic sends the name and the password inside TLS. Windows accepts it for
	// local accounts only (source: the README of pywinrm; Ansible, "Windows Remote
	// Management").
	Basic Auth = "basic"
	// NTLM proves knowledge of the password without sending it. It works for
	// domain accounts, but cannot be delegated to a third machine.
	NTLM Auth = "ntlm"
)

// Load reads the file at path. All problems with its content are returned together
// as [Problems]; any other error says why the file could not be read.
func Load(path string) (*Config, error) { return load(path, forWorker) }

// LoadIntake is [Load] for a program that takes events in and reaches no server: farms
// and connections may be missing.
func LoadIntake(path string) (*Config, error) { return load(path, forIntake) }

// LoadAny is [Load], or [LoadIntake] for a file that is about events alone: it has listen
// or pull, and neither farms nor connections.
func LoadAny(path string) (*Config, error) { return load(path, forEither) }

func load(path string, use use) (*Config, error) {
	content, err := readFile(path)
	if err != nil {
		return nil, err
	}
	r := newReader(path)
	r.use = use
	return decodeConfig(r, content)
}

// readFile reads no more than [MaxSize] bytes into memory and refuses a longer
// file.
func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read configuration: %w: name the configuration file", err)
	}
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, MaxSize+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read configuration: %w", err)
	case len(content) > MaxSize:
		return nil, Problems{{File: path, Line: 1, Text: "the file is larger than 1 MiB", Remedy: "split it into one file per worker"}}
	}
	return content, nil
}

// decodeConfig reads and checks the content of a reader's file.
func decodeConfig(r *reader, content []byte) (*Config, error) {
	config := &Config{Path: r.file, Worker: Worker{ConcurrentCalls: defaultConcurrentCalls, Mode: farm.ModeRotate}}
	if root, ok := r.readDocument(bytes.NewReader(content)); ok {
		if r.use == forEither && isAboutEventsAlone(root) {
			r.use = forIntake
		}
		r.readConfig(root, config)
		r.checkWholeFile(config.Connections)
		r.checkApprovers(config)
		r.warnOfForeignFarms(config)
	}
	if len(r.problems) > 0 {
		return nil, r.problems.sortByLine()
	}
	config.Warnings = r.warnings.sortByLine()
	return config, nil
}

// Farm returns the farm with this name, or an error that wraps [ErrUnknownFarm].
func (c *Config) Farm(name string) (Farm, error) {
	var names []string
	for _, f := range c.Farms {
		if f.Name == name {
			return f, nil
		}
		names = append(names, f.Name)
	}
	return Farm{}, fmt.Errorf("%w %q: %s", ErrUnknownFarm, name, suggestWord(name, names, "the farms of "+c.Path))
}

// Names returns the names of the farms that are named, each of which must be
// configured, or of all if none is named. It fails as [Config.Farm] does.
func (c *Config) Names(named ...string) ([]string, error) {
	for _, name := range named {
		if _, err := c.Farm(name); err != nil {
			return nil, err
		}
	}
	if len(named) > 0 {
		return named, nil
	}
	all := make([]string, len(c.Farms))
	for i, f := range c.Farms {
		all[i] = f.Name
	}
	return all, nil
}
