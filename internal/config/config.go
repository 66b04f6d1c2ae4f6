// Package config reads the one YAML file of farmtrust into values and says
// everything that is wrong with it at once, with line numbers.
//
// It connects to nothing and resolves no secret: the file names secrets, and
// the code that needs one resolves it at the last moment. docs/configuration.md is
// the reference of the file's keys; a test holds the two together.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/secret"
)

// MaxSize is the largest configuration file that is read, in bytes: room for
// 1,000 farms of ten servers.
const MaxSize = 1 << 20

// ErrUnknownFarm says that no farm of that name is configured. It is wrapped
// by an error that names the file and the nearest name.
var ErrUnknownFarm = errors.New("unknown farm")

// Config is what the file says, with every default filled in.
type Config struct {
	// Path is the file as it was named; paths inside it are relative to its folder.
	Path string
	// Farms are in the order of the file.
	Farms []Farm
	// Connections are keyed by the names that servers use.
	Connections map[string]Connection
	// Warnings are what an operator should know and may want.
	Warnings []Problem
}

// Farm is one farm and where its certificates come from.
type Farm struct {
	farm.Farm
	Source Source
}

// Source says where a farm's certificates come from; exactly one is set.
type Source struct {
	Directory  *Directory
	SelfSigned *SelfSigned
}

// Directory takes certificates from the PFX files of a folder.
type Directory struct {
	// Path is the folder, absolute or relative to the working directory.
	Path string
	// Password opens every PFX in it.
	Password secret.Ref
}

// SelfSigned makes certificates of its own and keeps them in a folder.
type SelfSigned struct {
	Directory
	// Subject is the common name that certificates begin with.
	Subject string
	// ValidFor is how long a new certificate is valid.
	ValidFor time.Duration
}

// Connection says how servers are spoken to.
type Connection struct {
	Auth     Auth
	User     string
	Password secret.Ref
	// CA is a file of PEM certificates that servers' certificates are verified
	// with; empty means the authorities that the system trusts.
	CA string
	// AllowUnverified accepts any server certificate, which lets an attacker
	// in between read everything; for laboratories.
	AllowUnverified bool
}

// Auth is how a connection authenticates.
type Auth string

// The ways to authenticate.
const (
	// Basic sends name and password inside TLS. Windows accepts local accounts
	// only (source: the README of pywinrm; Ansible, "Windows Remote Management").
	Basic Auth = "basic"
	// NTLM proves the password; domain accounts, no delegation.
	NTLM Auth = "ntlm"
)

// Load reads the file at path. Whatever is wrong with its content is returned
// together as [Problems]; any other error says why it could not be read.
func Load(path string) (*Config, error) {
	content, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return decodeConfig(path, content)
}

// readFile refuses files over [MaxSize] before they are in memory.
func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, MaxSize+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read configuration: %w", err)
	case len(content) > MaxSize:
		return nil, Problems{{File: path, Line: 1, Text: "the file is larger than 1 MiB", Remedy: "split it: one file for each worker"}}
	}
	return content, nil
}

// decodeConfig reads and checks content, which came from path.
func decodeConfig(path string, content []byte) (*Config, error) {
	r := newReader(path)
	config := &Config{Path: path}
	if root, ok := r.readDocument(bytes.NewReader(content)); ok {
		r.readConfig(root, config)
		r.checkWholeFile(config.Connections)
	}
	if len(r.problems) > 0 {
		return nil, r.problems.sortByLine()
	}
	config.Warnings = r.warnings.sortByLine()
	return config, nil
}

// Farm returns the farm of that name, or an error that wraps [ErrUnknownFarm].
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
