package wsman

import (
	"io"
	"sync"
)

// inputLimit bounds what a command leaves unread (assumed; Windows answers
// that it is busy when its pipe is full).
const inputLimit = 64 << 20

// input is the standard input of a command: a pipe with a buffer.
type input struct {
	mu     sync.Mutex
	wake   *sync.Cond
	data   []byte
	closed error // io.EOF at the end; then nothing is written any more
}

func newInput() *input {
	in := &input{}
	in.wake = sync.NewCond(&in.mu)
	return in
}

// Read implements io.Reader; it waits for data, the end or failure.
func (in *input) Read(b []byte) (int, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for len(in.data) == 0 && in.closed == nil && len(b) > 0 {
		in.wake.Wait()
	}
	if len(in.data) == 0 && len(b) > 0 {
		return 0, in.closed
	}
	n := copy(b, in.data)
	in.data = in.data[n:]
	return n, nil
}

// writeInput appends data, unless the end is there already, and reports whether there
// was room for it.
func (in *input) writeInput(data []byte, end bool) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed != nil {
		return true
	}
	if len(in.data)+len(data) > inputLimit {
		return false
	}
	in.data = append(in.data, data...)
	if end {
		in.closed = io.EOF
	}
	in.wake.Broadcast()
	return true
}

// failInput makes reads fail, those that wait and those to come.
func (in *input) failInput(err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.data, in.closed = nil, err
	in.wake.Broadcast()
}

// closeInput is called when nothing will be read from then on.
func (in *input) closeInput() { in.failInput(io.ErrClosedPipe) }
