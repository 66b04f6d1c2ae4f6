package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"path/filepath"
	"strings"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/secret"
)

// hashLength is in hexadecimal digits: short enough to compare by eye, and with a
// handful of workers, long enough that no two configurations share one.
const hashLength = 12

// Hash is equal for equal farms, sources, connections and approvers, with every default
// filled in. Secrets count by their names, and paths below the file's folder as
// the file has them: replicas may keep it in different folders.
func (c *Config) Hash() string {
	all := struct {
		Farms       []Farm
		Connections map[string]Connection
		Approvers   *Approvers `json:",omitempty"`
	}{Connections: map[string]Connection{}, Approvers: c.Approvers}
	for _, f := range c.Farms {
		all.Farms = append(all.Farms, c.withoutFolder(f))
	}
	for name, connection := range c.Connections {
		all.Connections[name] = c.connectionWithoutFolder(connection)
	}
	return hashValue(all)
}

// HashFarm is the [Config.Hash] of what concerns one farm: with another one, what
// is configured for it has changed.
func (c *Config) HashFarm(f Farm) string {
	part := struct {
		Farm        Farm
		Connections map[string]Connection
	}{c.withoutFolder(f), map[string]Connection{}}
	for _, s := range serversOf(f) {
		part.Connections[s.Connection] = c.connectionWithoutFolder(c.Connections[s.Connection])
	}
	return hashValue(part)
}

func serversOf(f Farm) (all []farm.Server) {
	for _, o := range f.Offices() {
		all = append(all, o.Servers...)
	}
	for _, sp := range f.SharePoint {
		all = append(all, sp.Servers...)
	}
	return all
}

func hashValue(v any) string {
	text, err := json.Marshal(v)
	if err != nil { // values of our own types, which have neither cycles nor functions
		panic(err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])[:hashLength]
}

func (c *Config) withoutFolder(f Farm) Farm {
	if d := f.Source.Directory; d != nil {
		f.Source.Directory = &Directory{Path: c.cutFolder(d.Path), Password: c.cutFolderOfSecret(d.Password)}
	}
	if s := f.Source.SelfSigned; s != nil {
		cut := *s
		cut.Directory = Directory{Path: c.cutFolder(s.Path), Password: c.cutFolderOfSecret(s.Password)}
		f.Source.SelfSigned = &cut
	}
	return f
}

func (c *Config) connectionWithoutFolder(connection Connection) Connection {
	connection.CA, connection.Password = c.cutFolder(connection.CA), c.cutFolderOfSecret(connection.Password)
	return connection
}

func (c *Config) cutFolderOfSecret(ref secret.Ref) secret.Ref {
	path, isFile := strings.CutPrefix(string(ref), "file:")
	if !isFile {
		return ref
	}
	return secret.Ref("file:" + c.cutFolder(path))
}

// cutFolder returns a path relative to the file's folder, if it is below that.
func (c *Config) cutFolder(path string) string {
	if path == "" {
		return ""
	}
	if relative, err := filepath.Rel(filepath.Dir(c.Path), path); err == nil && filepath.IsLocal(relative) {
		return filepath.ToSlash(relative)
	}
	return path
}
