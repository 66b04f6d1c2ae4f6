package pull_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/sas"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/secret"
)

// The account that Microsoft's emulator always has, with the key that its documentation
// publishes.
const (
	emulatorAccount = "devstoreaccount1"
	emulatorKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// testStorage is a queue on Microsoft's emulator, as its owner sees it.
type testStorage struct{ queue, refused *azqueue.QueueClient }

func startStorage(t *testing.T) testStorage {
	t.Helper()
	address, name := azurite.require(t), queueName(t)
	credential, err := azqueue.NewSharedKeyCredential(emulatorAccount, emulatorKey)
	if err != nil {
		t.Fatal(err)
	}
	create := func(name string) *azqueue.QueueClient {
		q, err := azqueue.NewQueueClientWithSharedKeyCredential("http://"+address+"/"+emulatorAccount+"/"+name, credential, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := q.Create(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		return q
	}
	return testStorage{create(name), create(name + "-x")}
}

func (q testStorage) send(t *testing.T, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		if _, err := q.queue.EnqueueMessage(t.Context(), body, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// waiting returns the messages that anybody would receive, without receiving them.
func waiting(t *testing.T, q *azqueue.QueueClient) (all []string) {
	t.Helper()
	got, err := q.PeekMessages(t.Context(), &azqueue.PeekMessagesOptions{NumberOfMessages: new(int32(32))})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range got.Messages {
		all = append(all, *m.MessageText)
	}
	return all
}

// count returns how many messages there are, with those that are hidden.
func count(t *testing.T, q *azqueue.QueueClient) int32 {
	t.Helper()
	got, err := q.GetProperties(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return *got.ApproximateMessagesCount
}

func (q testStorage) source(t *testing.T) config.Pull {
	t.Setenv("TEST_KEY", emulatorKey)
	return source(config.Pull{StorageQueue: &config.StorageQueue{URL: q.queue.URL(), Key: secret.Ref("env:TEST_KEY"), Refused: q.refused.URL()}})
}

func TestStorageQueue_MessagesLeaveTheQueueWhenTheirEventsAreStored(t *testing.T) {
	q, f := startStorage(t), &farms{away: errAway}
	// Event Grid writes Base64, others what they like.
	q.send(t, base64.StdEncoding.EncodeToString([]byte(cloudEvent("1"))), "["+cloudEvent("2")+","+cloudEvent("3")+"]", "{")
	stop, logs := startPull(t, q.source(t), f)
	eventually(t, "both messages are tried", func() bool { return f.failed() >= 2 })
	if got := waiting(t, q.queue); len(got) > 0 {
		t.Errorf("somebody else would receive %q", got)
	}
	f.goAway(nil)
	eventually(t, "all events are stored", func() bool { return len(f.events()) == 3 })
	eventually(t, "their messages are deleted", func() bool { return count(t, q.queue) == 1 })
	eventually(t, "the other one is refused", func() bool { return strings.Contains(messages(logs), "is not understood") })
	stop()
	f.assertEvents(t, "1", "2", "3")
	assertLogged(t, logs, "left in the queue; received again in 1m0s")
	if got := waiting(t, q.refused); len(got) > 0 {
		t.Errorf("refused at once: %q", got)
	}
	if strings.Contains(messages(logs), emulatorKey) {
		t.Error("the log has the key of the account")
	}
}

func TestStorageQueue_WhatIsHeldIsGivenBackAtTheEnd(t *testing.T) {
	q, f := startStorage(t), &farms{away: errAway}
	text := base64.StdEncoding.EncodeToString([]byte(cloudEvent("1")))
	q.send(t, text)
	stop, _ := startPull(t, q.source(t), f)
	eventually(t, "the message is tried", func() bool { return f.failed() > 0 })
	stop()
	if got := waiting(t, q.queue); len(got) != 1 || got[0] != text {
		t.Errorf("the queue holds %q, want what was sent", got)
	}
}

func TestStorageQueue_WhatIsNeverUnderstoodIsMoved(t *testing.T) {
	q, f := startStorage(t), &farms{}
	q.send(t, "{<&>")
	for range 4 { // others, or earlier versions, have received it
		got, err := q.queue.DequeueMessage(t.Context(), &azqueue.DequeueMessageOptions{VisibilityTimeout: new(int32(1))})
		if err != nil || len(got.Messages) != 1 {
			t.Fatalf("receive: %v", err)
		}
		m := got.Messages[0]
		if _, err := q.queue.UpdateMessage(t.Context(), *m.MessageID, *m.PopReceipt, *m.MessageText, nil); err != nil {
			t.Fatal(err)
		}
	}
	_, logs := startPull(t, q.source(t), f)
	eventually(t, "the message is moved", func() bool { return len(waiting(t, q.refused)) == 1 && count(t, q.queue) == 0 })
	if got := waiting(t, q.refused); got[0] != "{<&>" {
		t.Errorf("moved as %q", got)
	}
	assertLogged(t, logs, "moved to the queue for refused ones")
}

func TestStorageQueue_ASignatureLetsIn(t *testing.T) {
	q, f := startStorage(t), &farms{}
	credential, err := azqueue.NewSharedKeyCredential(emulatorAccount, emulatorKey)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := sas.QueueSignatureValues{
		Version: sas.Version, ExpiryTime: time.Now().Add(time.Hour).UTC(), QueueName: queueName(t),
		Permissions: (&sas.QueuePermissions{Read: true, Process: true, Update: true}).String(),
	}.SignWithSharedKey(credential)
	if err != nil {
		t.Fatal(err)
	}
	s := q.source(t)
	s.StorageQueue.Key, s.StorageQueue.SAS, s.StorageQueue.Refused = "", secret.Ref("env:TEST_SAS"), ""
	t.Setenv("TEST_SAS", "?"+signed.Encode())
	q.send(t, cloudEvent("1"))
	startPull(t, s, f)
	eventually(t, "the event is stored and its message deleted", func() bool { return len(f.events()) == 1 && count(t, q.queue) == 0 })
}

func TestStorageQueue_ASecretThatIsChangedIsReadAgain(t *testing.T) {
	q, f := startStorage(t), &farms{}
	s := q.source(t)
	t.Setenv("TEST_KEY", base64.StdEncoding.EncodeToString([]byte("the key of yesterday")))
	q.send(t, cloudEvent("1"))
	_, logs := startPull(t, s, f)
	eventually(t, "the old key is refused", func() bool { return strings.Contains(messages(logs), "Azure answered 403") })
	assertLogged(t, logs, "check that the key")
	t.Setenv("TEST_KEY", emulatorKey)
	eventually(t, "the event is stored", func() bool { return len(f.events()) == 1 })
}

// An address with a signature lets in anybody who reads it, and the errors of Go's HTTP client
// have the whole address.
func TestStorageQueue_TheLogNeverHasTheSignature(t *testing.T) {
	hangUp := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer hangUp.Close()
	t.Setenv("TEST_SAS", "sv=2024-05-04&sig=very%2Fsecret")
	_, logs := startPull(t, source(config.Pull{StorageQueue: &config.StorageQueue{URL: hangUp.URL + "/account/expiry", SAS: secret.Ref("env:TEST_SAS")}}), &farms{})
	eventually(t, "it is logged", func() bool { return logs.Len() > 2 })
	assertLogged(t, logs, "receive from a storage queue")
	if got := messages(logs); strings.Contains(got, "sig=") || strings.Contains(got, "secret") {
		t.Errorf("the log has the signature:\n%s", got)
	}
}
