package config

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// use is what a file is read for.
type use int

const (
	forWorker use = iota
	// forIntake is for the events that come in alone.
	forIntake
	// forEither leaves it to the file.
	forEither
)

// reader turns nodes of the file into values. An invalid node becomes a problem,
// and its value stays zero, so that reading continues and the operator sees all
// problems at once.
type reader struct {
	file, folder string
	use          use
	problems     Problems
	warnings     Problems
	// What has been read so far, for the checks across the file. The maps hold
	// line numbers, except for folders, connectedBy and fourEyes, which hold what was written.
	farmsRead   int
	farmNames   map[string]int
	folders     map[string]folderUse
	placements  []placement
	connectedBy map[string]node
	approvers   node
	people      []node
	personFarms []node
	fourEyes    map[string]node
	sourceFarms []node
}

func newReader(file string) *reader {
	return &reader{
		file: file, folder: filepath.Dir(file),
		farmNames: map[string]int{}, folders: map[string]folderUse{}, connectedBy: map[string]node{}, fourEyes: map[string]node{},
	}
}

// node is a value in the file, and its position in the document.
type node struct {
	*yaml.Node
	path string
}

// field is a key of a mapping.
type field struct {
	read func(node)
	// required is the remedy when the key is missing; empty if it is optional.
	required string
	// later marks a key that is reserved for a later version. It is refused, so
	// that no file relies on it by mistake.
	later bool
}

type fields map[string]field

// knownNames lists the keys that are accepted.
func (f fields) knownNames() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(f)), func(name string) bool { return f[name].later })
}

func (r *reader) addProblem(n node, remedy, format string, args ...any) {
	r.problems = append(r.problems, Problem{r.file, n.Line, n.path, fmt.Sprintf(format, args...), remedy})
}

func (r *reader) addWarning(n node, remedy, format string, args ...any) {
	r.warnings = append(r.warnings, Problem{r.file, n.Line, n.path, fmt.Sprintf(format, args...), remedy})
}

// The YAML library reports errors as text. The line number is parsed from it, and
// the names of anchors are removed: to YAML, a password that begins with * is one.
var (
	yamlLine   = regexp.MustCompile(`line (\d+): `)
	yamlAnchor = regexp.MustCompile(`anchor '[^']*'`)
)

// readDocument reads the file's only document.
func (r *reader) readDocument(content io.Reader) (node, bool) {
	decoder := yaml.NewDecoder(content)
	var document, second yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) {
		r.problems = Problems{{r.file, 1, "", "the file is empty", "write farms and connections; docs/configuration.md has an example"}}
		return node{}, false
	}
	if err == nil {
		if err = decoder.Decode(&second); err == nil {
			r.addProblem(node{&second, ""}, "keep one document in the file, without ---", "a second document begins here")
			return node{}, false
		}
	}
	if !errors.Is(err, io.EOF) {
		line := 1
		if found := yamlLine.FindStringSubmatch(err.Error()); found != nil {
			line, _ = strconv.Atoi(found[1]) // digits, by the expression
		}
		text := strings.TrimPrefix(yamlLine.ReplaceAllString(err.Error(), ""), "yaml: ")
		r.problems = Problems{{r.file, line, "", "invalid YAML: " + yamlAnchor.ReplaceAllString(text, "anchor"), remedyForYAML(text)}}
		return node{}, false
	}
	return node{document.Content[0], ""}, true
}

// remedyForYAML says what to do about an error of the YAML library. It names the two
// mistakes that administrators of Windows make most, which the library's words hide.
func remedyForYAML(text string) string {
	switch {
	case strings.Contains(text, "unknown escape character"):
		return `a backslash in double quotes begins an escape: write CONTOSO\svc-oos without quotes, at or just above this line`
	case strings.Contains(text, "cannot start any token"), strings.Contains(text, "tab character"):
		return "indent with spaces, not with tabs, and put quotes around a value that begins with @ or `, at or just above this line"
	}
	return "correct the syntax at or just above this line"
}

// readMapping reads each key of n by its field.
func (r *reader) readMapping(n node, known fields) {
	if !n.isMapping() {
		r.addProblem(n, "write these fields below it: "+strings.Join(known.knownNames(), ", "), "must be a mapping%s", describeKind(n))
		return
	}
	seen := map[string]int{}
	for key, value := range r.readEntries(n, seen) {
		f, ok := known[key.Value]
		switch {
		case !ok:
			r.addProblem(node{key, value.path}, suggestWord(key.Value, known.knownNames(), "the fields here"), "unknown field")
		case f.later:
			r.addProblem(node{key, value.path}, "leave it out", "not supported in this version")
		case isNull(value):
			r.addProblem(value, "give it a value or leave it out", "is empty")
		default:
			f.read(value)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if _, ok := seen[name]; !ok && known[name].required != "" {
			r.addProblem(n.child(name), known[name].required, "missing")
		}
	}
}

// readEntries yields the keys of a mapping in the order of the file and records
// their lines in seen. Keys that are not plain words, or are written twice, are
// reported instead.
func (r *reader) readEntries(n node, seen map[string]int) iter.Seq2[*yaml.Node, node] {
	return func(yield func(*yaml.Node, node) bool) {
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge" {
				r.addProblem(node{key, n.path}, "write the fields out", "a key that is not a plain word")
				continue
			}
			value := n.child(key.Value)
			value.Node = n.Content[i+1]
			if first, twice := seen[key.Value]; twice {
				r.addProblem(node{key, value.path}, fmt.Sprintf("keep one; the first is on line %d", first), "written twice")
				continue
			}
			seen[key.Value] = key.Line
			if !yield(key, value) {
				return
			}
		}
	}
}

// child is the position of a key below n.
func (n node) child(key string) node {
	if n.path == "" {
		return node{n.Node, key}
	}
	return node{n.Node, n.path + "." + key}
}

// readList reads the items of n, at least one.
func (r *reader) readList(n node, item func(node)) {
	if n.Kind != yaml.SequenceNode {
		r.addProblem(n, "write [a, b] or one item per line, each after a dash", "must be a list%s", describeKind(n))
		return
	}
	if len(n.Content) == 0 {
		r.addProblem(n, "name at least one", "is an empty list")
	}
	for i, content := range n.Content {
		item(node{content, fmt.Sprintf("%s[%d]", n.path, i)})
	}
}

// readText reads a string without control characters or surrounding spaces.
func (r *reader) readText(n node) (string, bool) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" || n.Value == "" {
		r.addProblem(n, "write a string, with quotes around numbers and words such as true", "must be a string%s", describeKind(n))
		return "", false
	}
	if strings.ContainsFunc(n.Value, func(c rune) bool { return c < ' ' || c == 0x7f }) || strings.TrimSpace(n.Value) != n.Value {
		r.addProblem(n, "remove them", "has control characters, or spaces at its ends")
		return "", false
	}
	return n.Value, true
}

// readName reads a string of at most max characters.
func (r *reader) readName(n node, max int) (string, bool) {
	name, ok := r.readText(n)
	if length := len([]rune(name)); length > max {
		r.addProblem(n, "choose a shorter one", "has %d characters; at most %d are allowed", length, max)
		return "", false
	}
	return name, ok
}

func (r *reader) readFlag(n node) bool {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" {
		r.addProblem(n, "write true or false", "must be true or false%s", describeKind(n))
	}
	return strings.EqualFold(n.Value, "true")
}

// readNumber reads a whole number from 1 up.
func (r *reader) readNumber(n node, high int) int {
	number, err := strconv.Atoi(n.Value)
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || err != nil || number < 1 || number > high {
		r.addProblem(n, fmt.Sprintf("write a number from 1 to %d", high), "must be a whole number within bounds")
	}
	return number
}

// readDuration reads a positive duration as [time.ParseDuration] does, but also
// with days: "30d", "1d12h".
func (r *reader) readDuration(n node) time.Duration {
	if n.isNumber() {
		r.addProblem(n, fmt.Sprintf("write %[1]sd, %[1]sh or %[1]sm", n.Value), "%s has no unit", n.Value)
		return 0
	}
	text, ok := r.readText(n)
	if !ok {
		return 0
	}
	duration, err := parseDuration(text)
	if err != nil || duration <= 0 {
		r.addProblem(n, "write a duration such as 30d, 12h or 90m", "%q is not a positive duration", text)
		return 0
	}
	return duration
}

// readChoice reads one of words. The words in later are reserved for a later
// version and refused, each with its remedy.
func readChoice[T ~string](r *reader, n node, words []T, later map[string]string) T {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
		r.addProblem(n, "write "+listWords(words), "must be a word%s", describeKind(n))
		return ""
	}
	text, ok := r.readText(n)
	if !ok {
		return ""
	}
	if remedy, ok := later[text]; ok {
		r.addProblem(n, remedy, "%s is not supported in this version", text)
		return ""
	}
	known := make([]string, len(words))
	for i, word := range words {
		if text == string(word) {
			return word
		}
		known[i] = string(word)
	}
	r.addProblem(n, suggestWord(text, known, "the choices"), "unknown value %q", text)
	return ""
}

// readPath reads a path on the worker's machine and resolves it against the file's
// folder.
func (r *reader) readPath(n node) string {
	text, ok := r.readText(n)
	if !ok || filepath.IsAbs(text) {
		return text
	}
	r.warnOfForeignPath(n, text)
	return filepath.Join(r.folder, text)
}

// warnOfForeignPath warns of a path on a drive of Windows where there are none: here it
// would be the name of a file beside the configuration.
func (r *reader) warnOfForeignPath(n node, path string) {
	if foreignPathPattern.MatchString(path) {
		r.addWarning(n, "write a path such as /etc/farmtrust/pfx, unless the worker runs on Windows", "%s is a path of Windows", path)
	}
}

func (n node) isMapping() bool { return n.Kind == yaml.MappingNode }

func (n node) isNumber() bool {
	return n.Kind == yaml.ScalarNode && (n.ShortTag() == "!!int" || n.ShortTag() == "!!float")
}

func isNull(n node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// describeKind describes a node of the wrong kind without its content, which
// may be a secret.
func describeKind(n node) string {
	switch {
	case n.isMapping():
		return ", but is a mapping"
	case n.Kind == yaml.SequenceNode:
		return ", but is a list"
	case n.Kind == yaml.AliasNode:
		return ", but is an alias, which is not supported here"
	case isNull(n), n.Value == "":
		return ", but is empty"
	case n.isNumber():
		return ", but is a number"
	case n.ShortTag() == "!!bool":
		return ", but is " + n.Value
	default:
		return ", but is a single value"
	}
}
