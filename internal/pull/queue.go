package pull

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/farmtrust/farmtrust/internal/config"
)

// queue is where the messages of a source wait.
type queue interface {
	// receive returns up to max messages that nobody else gets meanwhile, none where there
	// are none; it waits for one where the queue can.
	receive(ctx context.Context, max int) ([]*message, error)
	// hold keeps a message from others for another while.
	hold(ctx context.Context, m *message) error
	// finish removes a message.
	finish(ctx context.Context, m *message) error
	// release gives a message back, to be received again at once.
	release(ctx context.Context, m *message) error
	// refuse puts a message aside that is not understood, and says where it is now.
	refuse(ctx context.Context, m *message, why error) (fate string, err error)
}

// message is what a queue holds.
type message struct {
	// id is what the queue calls it.
	id string
	// handle is by which its receiver may do something with it.
	handle string
	// received is how often it was received, this time included.
	received int
	header   http.Header
	// body is what is decoded, raw what the queue has where that is something else.
	body, raw []byte
}

// errGone means that a message is not this process's any more.
var errGone = errors.New("the message is gone")

// place is a queue before it is opened.
type place struct {
	// name is how logs name it.
	name string
	open func(context.Context) (queue, error)
	// idle is the pause after nothing was received.
	idle time.Duration
}

func findPlace(s config.Pull) place {
	switch {
	case s.EventGrid != nil:
		return eventGridPlace(*s.EventGrid)
	case s.StorageQueue != nil:
		return storageQueuePlace(*s.StorageQueue)
	case s.SQS != nil:
		return sqsPlace(*s.SQS)
	}
	return directoryPlace(*s.Directory)
}

// laterAfter is when a message that is not understood is received again: soon, and then
// each hour, because a configuration that is corrected or a newer version may understand
// it. The steps are those that Event Grid offers.
func laterAfter(received int) time.Duration {
	switch received {
	case 0, 1:
		return time.Minute
	case 2:
		return 10 * time.Minute
	}
	return time.Hour
}
