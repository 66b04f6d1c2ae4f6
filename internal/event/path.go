package event

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// CheckPath returns what is wrong with a path of [Fields].
func CheckPath(path string) error {
	_, err := parsePath(path)
	return err
}

// step is one step of a path: to a member by its name or, if the name is empty, to an
// element.
type step struct {
	name  string
	index int
}

// maxSteps bounds a path, as [maxDepth] bounds the document.
const maxSteps = maxDepth

func parsePath(path string) ([]step, error) {
	var steps []step
	for rest := path; rest != ""; {
		if len(steps) == maxSteps {
			return nil, fmt.Errorf("path %.80q has more than %d steps", path, maxSteps)
		}
		var s step
		var err error
		if s, rest, err = parseStep(rest, len(steps) == 0); err != nil {
			return nil, fmt.Errorf("path %.80q: %w", path, err)
		}
		steps = append(steps, s)
	}
	if len(steps) == 0 {
		return nil, fmt.Errorf("a path is empty; write one such as data.cert.serial")
	}
	return steps, nil
}

// parseStep reads one step, and returns what follows it.
func parseStep(path string, first bool) (step, string, error) {
	if digits, ok := strings.CutPrefix(path, "["); ok {
		digits, rest, closed := strings.Cut(digits, "]")
		i, err := strconv.ParseUint(digits, 10, 16)
		if !closed || err != nil {
			return step{}, "", fmt.Errorf("write an element as [0]")
		}
		return step{index: int(i)}, rest, nil
	}
	if !first {
		var dotted bool
		if path, dotted = strings.CutPrefix(path, "."); !dotted {
			return step{}, "", fmt.Errorf("write a dot before %.40q", path)
		}
	}
	name, rest := path, ""
	if quoted, err := strconv.QuotedPrefix(path); err == nil && path[0] == '"' {
		rest = path[len(quoted):]
		if name, err = strconv.Unquote(quoted); err != nil {
			return step{}, "", err
		}
	} else if i := strings.IndexAny(path, `.["]`); i >= 0 {
		name, rest = path[:i], path[i:]
	}
	if name == "" {
		return step{}, "", fmt.Errorf("a name is missing before %.40q", rest)
	}
	return step{name: name}, rest, nil
}

// follow returns the member at a path as the only one of an object, and its name
// there, so that errors have its whole place. A path that leads nowhere ends at a
// member that is absent.
func (o object) follow(steps []step) (object, string) {
	place, name, v := o.place, "", any(o.fields)
	for _, s := range steps {
		if s.name == "" {
			list, _ := v.([]any)
			v = nil
			if s.index < len(list) {
				v = list[s.index]
			}
			name = elementPlace(name, s.index)
			continue
		}
		if name != "" {
			place = memberPlace(place, name)
		}
		members, _ := v.(map[string]any)
		name, v = s.name, members[s.name]
	}
	return object{place: place, fields: map[string]any{name: v}}, name
}

// fieldReader reads the members of one record. The first error stays.
type fieldReader struct {
	record object
	err    error
}

// text returns the text at a path; an empty path is absent, as are missing members.
func (r *fieldReader) text(path string) string {
	return r.read(path, object.optionalScalar)
}

func (r *fieldReader) read(path string, read func(object, string) (string, error)) (text string) {
	if path == "" || r.err != nil {
		return ""
	}
	holder, name, err := r.find(path)
	if err == nil {
		text, err = read(holder, name)
	}
	r.err = err
	return text
}

// find returns the member at a path, as follow does.
func (r *fieldReader) find(path string) (object, string, error) {
	steps, err := parsePath(path)
	if err != nil {
		return object{}, "", invalidError(r.record.place, err.Error(), "correct fields of this source")
	}
	holder, name := r.record.follow(steps)
	return holder, name, nil
}

// parse has the text at a path parsed, unless there is none. Invisible characters, such
// as the mark that the Windows certificate dialog puts in front of a thumbprint, do
// not count.
func (r *fieldReader) parse(path, remedy string, parse func(string) error) {
	r.read(path, func(o object, name string) (string, error) {
		if sent, ok := o.fields[name].(string); ok {
			o.fields[name] = strings.Map(dropInvisible, sent)
		}
		text, err := o.optionalScalar(name)
		if err != nil || text == "" {
			return "", err
		}
		if err := parse(text); err != nil {
			return "", invalidError(memberPlace(o.place, name), err.Error(), remedy)
		}
		return text, nil
	})
}

func dropInvisible(r rune) rune {
	if unicode.Is(unicode.Cf, r) {
		return -1
	}
	return r
}
