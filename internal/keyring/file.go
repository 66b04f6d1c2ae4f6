package keyring

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/farmtrust/farmtrust/internal/secret"
)

// Limits of a file: a ring that is changed every month for years is far below them.
const (
	maxFileSize = 64 << 10
	maxKeys     = 500
)

// newline ends a line, on Windows too: the same file serves everywhere.
const newline = "\n"

// head begins a file that farmtrust makes.
const head = `# Keys of farmtrust, each "ID KEY". The first one is used for what is new, all of them
# for what is old. Who can read this file can use them: guard it, and keep a copy.`

// validID is what the ID of a key looks like: it stands in headers, logs and commands.
var validID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// Errors that callers may test for.
var (
	// ErrEmpty means that a file holds no key.
	ErrEmpty = errors.New("it holds no key")
	// ErrUnknownKey means that a file holds no key with that ID.
	ErrUnknownKey = errors.New("no such key")
)

// LineError is a line of a key ring that is wrong. It never repeats the line.
type LineError struct {
	Path string
	// Line counts from 1.
	Line int
	// Problem is what is wrong with it.
	Problem string
}

func (e *LineError) Error() string { return fmt.Sprintf("%s:%d: %s", e.Path, e.Line, e.Problem) }

// file is a key ring as it is written: lines, of which some hold keys.
type file struct{ lines []line }

// line is a line of a file; key is nil for a comment or an empty one.
type line struct {
	text string
	key  *Key
}

func (f *file) keys() []Key {
	var all []Key
	for _, l := range f.lines {
		if l.key != nil {
			all = append(all, *l.key)
		}
	}
	return all
}

// find returns the index of the line with a key.
func (f *file) find(id string) int {
	return slices.IndexFunc(f.lines, func(l line) bool { return l.key != nil && l.key.ID == id })
}

// first returns the index of the line with the first key.
func (f *file) first() int {
	return slices.IndexFunc(f.lines, func(l line) bool { return l.key != nil })
}

func (f *file) text() []byte {
	var text bytes.Buffer
	for _, l := range f.lines {
		text.WriteString(l.text + newline)
	}
	return text.Bytes()
}

// writeKey returns the line of a key.
func writeKey(k Key) line {
	return line{text: k.ID + " " + base64.StdEncoding.EncodeToString(k.value.Bytes()), key: &k}
}

// readFile reads and checks a key ring.
func readFile(path string) (*file, error) {
	content, err := secret.ReadPrivate(path, maxFileSize)
	switch {
	case err != nil:
		return nil, err
	case len(content) > maxFileSize:
		return nil, fmt.Errorf("%s: a key ring has no more than %d bytes", path, maxFileSize)
	}
	f, err := parse(path, content)
	if err != nil {
		return nil, err
	}
	if len(f.keys()) == 0 {
		return nil, fmt.Errorf("%s: %w", path, ErrEmpty)
	}
	return f, nil
}

// parse reads the content of a key ring, which may hold no key.
func parse(path string, content []byte) (*file, error) {
	f := &file{}
	wrong := func(problem string) error {
		return &LineError{Path: path, Line: len(f.lines) + 1, Problem: problem}
	}
	lines := bufio.NewScanner(bytes.NewReader(content))
	lines.Buffer(nil, maxFileSize+1)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			f.lines = append(f.lines, line{text: lines.Text()})
			continue
		}
		if len(fields) != 2 {
			return nil, wrong("a key is written as ID, a blank, and 32 bytes in base64")
		}
		value, err := base64.StdEncoding.Strict().DecodeString(fields[1])
		switch {
		case !validID.MatchString(fields[0]):
			return nil, wrong("the ID of a key has up to 64 letters, digits, '.', '_' and '-'")
		case err != nil || len(value) != KeySize:
			return nil, wrong("the key is not 32 bytes in base64")
		case f.find(fields[0]) >= 0:
			return nil, wrong("this ID stands above already")
		case len(f.keys()) == maxKeys:
			return nil, wrong(fmt.Sprintf("a key ring has no more than %d keys", maxKeys))
		}
		f.lines = append(f.lines, line{text: lines.Text(), key: &Key{ID: fields[0], value: secret.FromBytes(value)}})
	}
	if err := lines.Err(); err != nil {
		return nil, wrong(err.Error())
	}
	return f, nil
}
