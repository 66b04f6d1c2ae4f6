package pull

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/queueerror"

	"github.com/farmtrust/farmtrust/internal/config"
)

const (
	// storagePoll is the pause after the queue was empty. It cannot wait for a message, and
	// each request is paid for.
	storagePoll = 10 * time.Second
	// refuseAfter is how often a message is received that is not understood, before it is
	// moved to the queue for refused ones; Azure Functions does so by default too.
	refuseAfter = 5
)

// storageQueue is a queue of an Azure storage account. Such a queue has no rules of its
// own for what is not understood.
//
// Source: Microsoft, "Azure Queue Storage REST API".
type storageQueue struct{ messages, refused *azqueue.QueueClient }

func storageQueuePlace(c config.StorageQueue) place {
	return place{name: c.URL, idle: storagePoll, open: func(context.Context) (queue, error) { return openStorageQueue(c) }}
}

func openStorageQueue(c config.StorageQueue) (queue, error) {
	q := &storageQueue{}
	var err error
	if q.messages, err = newStorageClient(c, c.URL); err != nil {
		return nil, err
	}
	if c.Refused != "" {
		q.refused, err = newStorageClient(c, c.Refused)
	}
	return q, err
}

// newStorageClient returns a client of a queue that signs in as the configuration says.
func newStorageClient(c config.StorageQueue, at string) (*azqueue.QueueClient, error) {
	options := &azqueue.ClientOptions{ClientOptions: azureOptions()}
	if c.Identity != nil {
		identity, err := signIn(*c.Identity)
		if err != nil {
			return nil, err
		}
		return azqueue.NewQueueClient(at, identity, options)
	}
	if c.SAS != "" {
		signature, err := c.SAS.Resolve()
		if err != nil {
			return nil, err
		}
		return azqueue.NewQueueClientWithNoCredential(at+"?"+strings.TrimPrefix(string(signature.Bytes()), "?"), options)
	}
	key, err := c.Key.Resolve()
	if err != nil {
		return nil, err
	}
	credential, err := azqueue.NewSharedKeyCredential(storageAccount(at), string(key.Bytes()))
	if err != nil {
		return nil, fmt.Errorf("%s is not an access key of a storage account, which is Base64", c.Key)
	}
	return azqueue.NewQueueClientWithSharedKeyCredential(at, credential, options)
}

// storageAccount returns the name of a queue's account: the beginning of the host name, or
// of the path where the host has none, as with Microsoft's emulator.
func storageAccount(at string) string {
	u, err := url.Parse(at)
	if err != nil {
		return ""
	}
	if u.Hostname() == "localhost" || net.ParseIP(u.Hostname()) != nil {
		account, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
		return account
	}
	account, _, _ := strings.Cut(u.Hostname(), ".")
	return account
}

func (q *storageQueue) receive(ctx context.Context, max int) (all []*message, err error) {
	out, err := q.messages.DequeueMessages(ctx, &azqueue.DequeueMessagesOptions{
		NumberOfMessages: new(int32(max)), VisibilityTimeout: new(seconds(holdFor)), //nolint:gosec // at most maxBatch
	})
	if err != nil {
		return nil, explainStorage("receive from a storage queue", err)
	}
	for _, m := range out.Messages {
		if m == nil || m.MessageID == nil || m.PopReceipt == nil || m.MessageText == nil || m.DequeueCount == nil {
			return nil, errors.New("receive from a storage queue: a message without a part that Azure always sends")
		}
		all = append(all, &message{id: *m.MessageID, handle: *m.PopReceipt, received: int(*m.DequeueCount), body: decodeBase64(*m.MessageText), raw: []byte(*m.MessageText)})
	}
	return all, nil
}

// decodeBase64 returns the content of a message. Event Grid and the older libraries write
// it in Base64, whose letters no document begins with that is understood.
func decodeBase64(text string) []byte {
	if decoded, err := base64.StdEncoding.DecodeString(text); err == nil {
		return decoded
	}
	return []byte(text)
}

func (q *storageQueue) hold(ctx context.Context, m *message) error {
	return q.hideFor(ctx, m, holdFor)
}

func (q *storageQueue) release(ctx context.Context, m *message) error {
	return q.hideFor(ctx, m, 0)
}

// hideFor hides a message, which gets another receipt by that.
func (q *storageQueue) hideFor(ctx context.Context, m *message, d time.Duration) error {
	out, err := q.messages.UpdateMessage(ctx, m.id, m.handle, string(m.raw), &azqueue.UpdateMessageOptions{VisibilityTimeout: new(seconds(d))})
	if err != nil {
		return explainStorage("hide a message of a storage queue", err)
	}
	if out.PopReceipt != nil {
		m.handle = *out.PopReceipt
	}
	return nil
}

func (q *storageQueue) finish(ctx context.Context, m *message) error {
	_, err := q.messages.DeleteMessage(ctx, m.id, m.handle, nil)
	return explainStorage("delete a message of a storage queue", err)
}

// refuse leaves a message where it is, and moves it to the queue for refused ones when it
// was received often enough.
func (q *storageQueue) refuse(ctx context.Context, m *message, _ error) (string, error) {
	if q.refused == nil || m.received < refuseAfter {
		later := laterAfter(m.received)
		return "left in the queue; received again in " + later.String(), q.hideFor(ctx, m, later)
	}
	if _, err := q.refused.EnqueueMessage(ctx, string(m.raw), nil); err != nil {
		return "", explainStorage("put a message into the queue for refused ones", err)
	}
	return "moved to the queue for refused ones", q.finish(ctx, m)
}

func explainStorage(what string, err error) error {
	if queueerror.HasCode(err, queueerror.MessageNotFound, queueerror.PopReceiptMismatch) {
		return fmt.Errorf("%w: %s", errGone, what)
	}
	return explainAzure(what, err)
}
