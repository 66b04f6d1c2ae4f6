package audit

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/keyring"
)

// Mark names a line and, by its hash, all lines before it.
type Mark struct {
	Log  string `json:"log"`
	Seq  uint64 `json:"seq"`
	Hash string `json:"hash"`
}

// markDigits are as many of a hash as a mark is written with: 128 bits.
const markDigits = 32

// String is how a mark is written: LOG:NUMBER:HASH.
func (m Mark) String() string {
	return fmt.Sprintf("%s:%d:%s", m.Log, m.Seq, m.Hash[:min(len(m.Hash), markDigits)])
}

// ParseMark reads what [Mark.String] writes.
func ParseMark(s string) (Mark, error) {
	log, rest, _ := strings.Cut(s, ":")
	number, hash, ok := strings.Cut(rest, ":")
	seq, err := strconv.ParseUint(number, 10, 64)
	if !ok || err != nil || log == "" || len(hash) < markDigits || strings.Trim(hash, "0123456789abcdef") != "" {
		return Mark{}, fmt.Errorf("%q is no mark: one is LOG:NUMBER:HASH, with %d or more digits of the hash, as the worker's log has it", s, markDigits)
	}
	return Mark{log, seq, hash}, nil
}

// Problem is what shows that a log is not as workers wrote it.
type Problem struct {
	// File and Line are where; Line counts from 1 in the file, and is 0 where the whole
	// file is meant.
	File string `json:"file"`
	Line int    `json:"line,omitempty"`
	Text string `json:"text"`
}

// String names the place first.
func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
}

// Verified is what was found in the files of a log.
type Verified struct {
	// Lines were read, from First to Last.
	Lines       int  `json:"lines"`
	First, Last Mark `json:"-"`
	// From and Until are when they were written.
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// Unchecked are the lines whose code could not be checked, for want of its key.
	Unchecked int       `json:"unchecked,omitempty"`
	Problems  []Problem `json:"problems,omitempty"`
	// Torn are the lines that a crash has cut, and that the line after vouches for.
	Torn int `json:"torn,omitempty"`
}

// maxProblems is how many problems are listed: where one line is gone, nothing fits.
const maxProblems = 50

// Verify reads the files of one log, in any order, and checks that no line is missing,
// altered or out of place. With keys, nil for none, it also checks that workers wrote
// them. Each mark must be that of a line: of one in the files, or of the one before the
// first. Without a mark that is newer than the last line, what was cut off the end is not
// found. Its error is that of a file that cannot be read.
func Verify(paths []string, keys *keyring.Ring, marks []Mark) (Verified, error) {
	v := verifier{keys: keys, marks: marks, seen: map[Mark]bool{}}
	files := make([]*lines, 0, len(paths))
	for _, path := range paths {
		f, err := openLines(path)
		if err != nil {
			return Verified{}, err
		}
		defer f.file.Close()
		files = append(files, f)
	}
	slices.SortStableFunc(files, func(a, b *lines) int {
		return cmp.Or(strings.Compare(a.first.Log, b.first.Log), cmp.Compare(a.first.Seq, b.first.Seq))
	})
	for _, f := range files {
		if err := v.readFile(f); err != nil {
			return Verified{}, fmt.Errorf("%s: %w", f.path, err)
		}
	}
	v.finish()
	return v.found, nil
}

// verifier goes through lines in their order.
type verifier struct {
	keys  *keyring.Ring
	marks []Mark
	// seen are the marks that a line was found for.
	seen  map[Mark]bool
	found Verified
	// last is the line before, and where it stood.
	last line
	at   Problem
	// torn is what stood before it and was no line, and tornAt where, and why.
	torn   string
	tornAt Problem
}

func (v *verifier) addProblem(at Problem, format string, args ...any) {
	at.Text = fmt.Sprintf(format, args...)
	if len(v.found.Problems) < maxProblems {
		v.found.Problems = append(v.found.Problems, at)
	}
}

func (v *verifier) readFile(f *lines) error {
	for {
		text, whole, err := f.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		v.at = Problem{File: f.path, Line: f.number}
		l, err := readLine(text)
		if err == nil && whole {
			v.addLine(l)
			continue
		}
		v.settleTorn(line{})
		v.torn, v.tornAt = text, v.at
		if v.tornAt.Text = "it lacks its end"; err != nil {
			v.tornAt.Text = err.Error()
		}
	}
}

// settleTorn reports what was no line, unless the line behind it vouches for it.
func (v *verifier) settleTorn(next line) {
	switch {
	case v.torn == "":
		return
	case next.Event == Torn && next.Detail == hashOf(v.torn):
		v.found.Torn++
	default:
		v.addProblem(v.tornAt, "%s", v.tornAt.Text)
	}
	v.torn = ""
}

// addLine checks a line against the one before.
func (v *verifier) addLine(l line) {
	v.settleTorn(l)
	switch before := v.last; {
	case before.Seq == 0:
		v.checkFirst(l)
	case l.Log != before.Log:
		v.addProblem(v.at, "another log begins here, %s: verify one log at a time", l.Log)
	case l.Seq > before.Seq+1:
		v.addProblem(v.at, "%d lines are missing before it: %d to %d", l.Seq-before.Seq-1, before.Seq+1, l.Seq-1)
	case l.Seq <= before.Seq:
		v.addProblem(v.at, "it is line %d of the log, after line %d: lines were put in, or changed places", l.Seq, before.Seq)
	case l.Prev != before.hash:
		v.addProblem(v.at, "it does not continue the line before, which was altered or replaced")
	}
	v.checkCode(l)
	v.checkMarks(l.mark())
	v.found.Lines++
	v.found.Last, v.found.Until, v.last = l.mark(), l.At, l
}

func (v *verifier) checkFirst(l line) {
	v.found.First, v.found.From = Mark{l.Log, l.Seq, l.hash}, l.At
	if l.Seq == 1 && l.Prev == "" {
		return
	}
	before := Mark{l.Log, l.Seq - 1, l.Prev}
	if v.checkMarks(before) == 0 {
		v.addProblem(v.at, "the files begin with line %d of the log: give those before too, or the mark of line %d", l.Seq, l.Seq-1)
	}
}

// checkMarks notes the marks of a line, and returns how many there are.
func (v *verifier) checkMarks(of Mark) (count int) {
	for _, m := range v.marks {
		switch {
		case m.Log != of.Log || m.Seq != of.Seq:
		case !strings.HasPrefix(of.Hash, m.Hash):
			v.seen[m] = true
			v.addProblem(v.at, "line %d of the log is not the one that was written: its mark was %s, and is %s", m.Seq, m, of)
		default:
			v.seen[m] = true
			count++
		}
	}
	return count
}

func (v *verifier) checkCode(l line) {
	if v.keys == nil {
		v.found.Unchecked++
		return
	}
	switch key, ok := v.keys.Find(l.Key); {
	case !ok:
		v.found.Unchecked++
	case !l.hasCode(key):
		v.addProblem(v.at, "no worker wrote it: its code is not one of the key %s", l.Key)
	}
}

// finish checks what can be said only at the end.
func (v *verifier) finish() {
	if v.torn != "" {
		v.tornAt.Text += "; as the last one, it may be of a crash: a worker that starts says so in the next line"
		v.settleTorn(line{})
	}
	if v.found.Lines == 0 {
		v.addProblem(v.at, "there is no line of an audit log")
		return
	}
	for _, m := range v.marks {
		if !v.seen[m] {
			v.addProblem(Problem{File: v.at.File}, "line %d of log %s is not in the files: the end was cut off, a file is missing, or the mark is of another log", m.Seq, m.Log)
		}
	}
	if v.keys != nil {
		if _, ok := v.keys.Find(v.last.Key); !ok {
			v.addProblem(v.at, "the last line was written with the key %s, which is not in the ring: nothing vouches for the lines since a key that is", v.last.Key)
		}
	}
}

// lines reads a file line by line.
type lines struct {
	path   string
	file   *os.File
	reader *bufio.Reader
	number int
	// first is the first line; zero if it is none.
	first line
}

func openLines(path string) (*lines, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	f := &lines{path: path, file: file}
	f.reader = bufio.NewReader(file)
	if text, _, err := f.next(); err == nil {
		f.first, _ = readLine(text) // what is wrong with it is found again
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	f.reader.Reset(file)
	f.number = 0
	return f, nil
}

// maxRead is how much of a line is read: more is none of ours.
const maxRead = 2 * maxLine

// next returns the next line, and whether a newline ended it.
func (f *lines) next() (text string, whole bool, err error) {
	f.number++
	var all strings.Builder
	for {
		part, err := f.reader.ReadSlice('\n')
		if all.Len() <= maxRead {
			all.Write(part)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil && (!errors.Is(err, io.EOF) || all.Len() == 0) {
			return "", false, err
		}
		text, whole = strings.CutSuffix(all.String(), "\n")
		return text, whole, nil
	}
}
