package audit

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/keyring"
)

// maxFile is the size, in bytes, at which a file is put aside and another one begun: a
// year of a worker with a hundred farms.
const maxFile = 64 << 20

// fileMode lets the group read, such as the agent that ships logs.
const fileMode = 0o640

// ErrAltered means that the file does not end with what the last writer wrote.
var ErrAltered = errors.New("the audit log was altered")

// Options describe a log.
type Options struct {
	// Path is the file that is written to. Its folder exists.
	Path string
	// Keys authenticate the lines.
	Keys *keyring.Ring
	// Worker and Build are who writes.
	Worker, Build string
	// Mirrors get each line too; one that fails is told of in Log, and holds nothing up.
	Mirrors []Mirror
	// Log is told when a file begins, and of mirrors that fail.
	Log *zap.Logger
	// Now is the clock.
	Now func() time.Time
	// MaxFile is the size in bytes at which a file is put aside; 0 means 64 MiB.
	MaxFile int64
}

// Mirror is another place that gets each line.
type Mirror interface {
	// Write sends a line, without its newline. It must not block for long.
	Write(line string) error
	// Close ends the connection.
	Close() error
}

// Log writes lines. It is safe for concurrent use, also by several processes.
type Log struct {
	options Options

	mu sync.Mutex
	// last is the newest line that this process knows; zero before the first.
	last   line
	failed map[Mirror]bool
}

// Open opens a log for appending, and begins it if there is none. It fails where the
// file cannot be written, or does not end with what a worker with the same keys wrote:
// [ErrAltered].
func Open(o Options) (*Log, error) {
	if o.MaxFile == 0 {
		o.MaxFile = maxFile
	}
	l := &Log{options: o, failed: map[Mirror]bool{}}
	if err := l.Record(Record{Event: Opened, Detail: "a worker starts"}); err != nil {
		return nil, err
	}
	return l, nil
}

// Close closes the mirrors. The file is open only while a line is written.
func (l *Log) Close() error {
	var all []error
	for _, m := range l.options.Mirrors {
		all = append(all, m.Close())
	}
	return errors.Join(all...)
}

// Last is the newest line that this process has written: a log that ends before it was
// cut.
func (l *Log) Last() Mark {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last.mark()
}

// Record appends a line, and returns once it is on the disk.
func (l *Log) Record(r Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	text, err := l.appendRecord(r)
	if err != nil {
		return fmt.Errorf("write the audit log %s: %w", l.options.Path, err)
	}
	for _, m := range l.options.Mirrors {
		l.noteMirror(m, m.Write(text))
	}
	return nil
}

// noteMirror tells when a mirror begins to fail, and when it works again.
func (l *Log) noteMirror(m Mirror, err error) {
	switch failed := l.failed[m]; {
	case err != nil && !failed:
		l.options.Log.Error("audit log: a copy cannot be sent; the file has every line", zap.Error(err))
	case err == nil && failed:
		l.options.Log.Info("audit log: copies are sent again", zap.String("since", l.last.mark().String()))
	}
	l.failed[m] = err != nil
}

// appendRecord writes a line while no other process does.
func (l *Log) appendRecord(r Record) (text string, err error) {
	release, err := lockFile(l.options.Path + ".lock")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, release()) }()
	end, err := readEnd(l.options.Path)
	if err != nil {
		return "", err
	}
	if err := l.checkEnd(end); err != nil {
		return "", err
	}
	content, last, err := l.composeLines(end, r)
	if err != nil {
		return "", err
	}
	if err := l.writeLines(end, content); err != nil {
		return "", err
	}
	if end.last.Seq == 0 {
		l.options.Log.Warn("audit log: a log begins", zap.String("file", l.options.Path), zap.String("mark", last.mark().String()))
	}
	l.last = last
	lines := strings.Split(strings.TrimSpace(content), "\n")
	return lines[len(lines)-1], nil
}

// checkEnd refuses to continue what another hand has changed: the line that this process
// wrote last must still be there, and a worker must have written the last one.
func (l *Log) checkEnd(end end) error {
	known, found := l.last, end.last
	verify := "; run: farmtrust audit verify --seal-keys FILE " + l.options.Path
	switch {
	case known.Seq > 0 && (found.Log != known.Log || found.Seq < known.Seq || found.Seq == known.Seq && found.hash != known.hash):
		return fmt.Errorf("%w: its line %s is gone: put it back; or, to begin another log, which says so, move what is left away and start the workers again%s",
			ErrAltered, known.mark(), verify)
	case found.Seq == 0:
		return nil
	}
	switch key, ok := l.options.Keys.Find(found.Key); {
	case !ok:
		return fmt.Errorf("%w: its last line, %s, was written with the key %s, which is not in this worker's ring: give all workers the same ring",
			ErrAltered, found.mark(), found.Key)
	case !found.hasCode(key):
		return fmt.Errorf("%w: no worker with these keys wrote its last line, %s%s", ErrAltered, found.mark(), verify)
	}
	return nil
}

// composeLines returns what is to stand behind the end of the file: the record, after
// what there is to be said of a line that a crash has torn.
func (l *Log) composeLines(end end, r Record) (content string, last line, err error) {
	records := []Record{r}
	if end.torn != "" {
		content, records = "\n", []Record{{Event: Torn, Detail: hashOf(end.torn)}, r}
	}
	last = end.last
	if last.Seq == 0 {
		last.Log = strings.ToLower(rand.Text()[:12])
	}
	key := l.options.Keys.First()
	for _, r := range records {
		last.entry = entry{
			Log: last.Log, Seq: last.Seq + 1, Prev: last.hash, At: l.options.Now().UTC(),
			Worker: l.options.Worker, Build: l.options.Build, Key: key.ID, Record: r,
		}
		text, hash, err := sealLine(last.entry, key)
		if err != nil {
			return "", line{}, err
		}
		content, last.hash = content+text+"\n", hash
	}
	return content, last, nil
}

// writeLines appends, all of it or nothing. A file that is full is put aside first; where
// that cannot be done, as while somebody reads it on Windows, it grows on.
func (l *Log) writeLines(end end, content string) error {
	if end.size > l.options.MaxFile && end.torn == "" {
		err := beginFile(l.options.Path, end.last, content)
		if err == nil {
			return nil
		}
		l.options.Log.Warn("audit log: the file is full and cannot be put aside; it grows on", zap.String("file", l.options.Path), zap.Error(err))
	}
	return appendWhole(l.options.Path, end.size, content)
}

// appendWhole writes a text at the end of a file and onto the disk.
func appendWhole(path string, size int64, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, fileMode)
	if err != nil {
		return err
	}
	if _, err = file.WriteAt([]byte(text), size); err == nil {
		err = file.Sync()
	}
	if err != nil {
		err = errors.Join(err, file.Truncate(size))
	}
	return errors.Join(err, file.Close())
}

// beginFile gives a full file a second name, which says up to which line it goes, and
// puts a new one, which continues the chain, in its place: at no time is there none.
func beginFile(path string, last line, content string) error {
	extension := filepath.Ext(path)
	aside := fmt.Sprintf("%s-%s-%012d%s", strings.TrimSuffix(path, extension), last.Log, last.Seq, extension)
	next := path + ".next"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a crash
		return err
	}
	if err := appendWhole(next, 0, content); err != nil {
		return err
	}
	if err := os.Link(path, aside); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Rename(next, path)
}

// end is how a file ends; zero where there is none.
type end struct {
	size int64
	last line
	// torn is what stands behind the last newline.
	torn string
}

// readEnd reads the last line of a file, and what is behind it.
func readEnd(path string) (end, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return end{}, nil
	}
	if err != nil {
		return end{}, err
	}
	defer file.Close()
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return end{}, err
	}
	// A line of the greatest length, and what may be torn: two lines.
	const most int64 = 3 * (maxLine + int64(tailLength) + 1)
	content := make([]byte, min(size, most))
	if _, err := file.ReadAt(content, size-int64(len(content))); err != nil {
		return end{}, err
	}
	lines := strings.Split(string(content), "\n")
	e := end{size: size, torn: lines[len(lines)-1]}
	if len(lines) == 1 {
		return e, nil
	}
	if e.last, err = readLine(lines[len(lines)-2]); err != nil {
		return end{}, fmt.Errorf("%w: its last line: %w; run: farmtrust audit verify --seal-keys FILE %s", ErrAltered, err, path)
	}
	return e, nil
}
