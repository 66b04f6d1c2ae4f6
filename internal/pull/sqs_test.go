package pull_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/secret"
)

// testSQS is a queue on a server of SQS, as its owner sees it.
type testSQS struct {
	*sqs.Client

	// url is that of the queue, dead of the one behind it; inspect shows what the queue holds.
	url, dead, inspect string
	// reachable is the URL of the queue by a name that this machine knows.
	reachable string
}

const awsSecret = "wJalrXUtnFEMI-not-a-real-one"

// startSQS starts a server with a queue, and one for dead letters behind it.
func startSQS(t *testing.T) testSQS {
	t.Helper()
	address, name := sqsServer.require(t), queueName(t)
	q := testSQS{Client: sqs.New(sqs.Options{
		BaseEndpoint: aws.String("http://" + address), Region: "eu-central-1",
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", awsSecret, ""),
	})}
	create := func(name string, attributes map[string]string) (at, arn string) {
		made, err := q.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
		if err != nil {
			t.Fatal(err)
		}
		all, err := q.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: made.QueueUrl, AttributeNames: []types.QueueAttributeName{"QueueArn"}})
		if err != nil {
			t.Fatal(err)
		}
		return *made.QueueUrl, all.Attributes["QueueArn"]
	}
	q.reachable = q.makeReachable(t, address) + "/000000000000/" + name
	q.inspect = "http://" + address + "/_fauxqs/queues/" + name
	var arn string
	q.dead, arn = create(name+"-dead", nil)
	q.url, _ = create(name, map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + arn + `","maxReceiveCount":"3"}`})
	return q
}

// makeReachable puts a server before the other one that calls it by the name that it gives
// itself, which no resolver knows.
func (q testSQS) makeReachable(t *testing.T, address string) string {
	var at string
	_, port, _ := net.SplitHostPort(address)
	server := httptest.NewServer(&httputil.ReverseProxy{ErrorLog: log.New(io.Discard, "", 0), Rewrite: func(r *httputil.ProxyRequest) {
		body, err := io.ReadAll(r.In.Body)
		if err != nil {
			panic(err)
		}
		body = bytes.ReplaceAll(body, []byte(at), []byte("http://sqs.eu-central-1.localhost:"+port))
		r.SetURL(&url.URL{Scheme: "http", Host: address})
		r.Out.Body, r.Out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}})
	t.Cleanup(server.Close)
	at = server.URL
	return at
}

func (q testSQS) send(t *testing.T, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		if _, err := q.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &q.url, MessageBody: &body}); err != nil {
			t.Fatal(err)
		}
	}
}

// count returns how many messages wait in a queue, and how many somebody holds.
func (q testSQS) count(t *testing.T, url string) (waiting, held string) {
	t.Helper()
	all, err := q.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{"All"}})
	if err != nil {
		t.Fatal(err)
	}
	return all.Attributes["ApproximateNumberOfMessages"], all.Attributes["ApproximateNumberOfMessagesNotVisible"]
}

func (q testSQS) assertCount(t *testing.T, waiting, held string) {
	t.Helper()
	if gotWaiting, gotHeld := q.count(t, q.url); gotWaiting != waiting || gotHeld != held {
		t.Errorf("%s messages wait and %s are held, want %s and %s", gotWaiting, gotHeld, waiting, held)
	}
}

func (q testSQS) source(t *testing.T) config.Pull {
	t.Setenv("TEST_AWS_SECRET", awsSecret)
	return source(config.Pull{SQS: &config.SQS{URL: q.reachable, Region: "eu-central-1", AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: secret.Ref("env:TEST_AWS_SECRET")}})
}

func TestSQS_MessagesLeaveTheQueueWhenTheirEventsAreStored(t *testing.T) {
	q, f := startSQS(t), &farms{away: errAway}
	q.send(t, cloudEvent("1"), "["+cloudEvent("2")+","+cloudEvent("3")+"]", "{")
	stop, logs := startPull(t, q.source(t), f)
	eventually(t, "both messages are tried", func() bool { return f.failed() >= 2 })
	q.assertCount(t, "0", "3")

	f.goAway(nil)
	eventually(t, "all events are stored", func() bool { return len(f.events()) == 3 })
	eventually(t, "their messages are deleted", func() bool { _, held := q.count(t, q.url); return held == "1" })
	assertLogged(t, logs, "a message is not understood", "unless the queue's redrive policy moves it")
	stop()
	f.assertEvents(t, "1", "2", "3")
	q.assertCount(t, "0", "1")
	if strings.Contains(messages(logs), awsSecret) {
		t.Error("the log has the secret access key")
	}
}

// TestSQS_Curl has AWS's sample of an event of EventBridge sent by curl, which knows nothing
// of SQS but how its requests are signed. The server reads what the requests say, and
// verifies no signature: that curl's is right is not proven here.
func TestSQS_Curl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("no curl")
	}
	q, f := startSQS(t), &farms{}
	sample, err := os.ReadFile("../event/testdata/acm.CertificateApproachingExpiration.awsdoc.json")
	if err != nil {
		t.Fatal(err)
	}
	request, err := json.Marshal(sqs.SendMessageInput{QueueUrl: &q.url, MessageBody: aws.String(string(sample))})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "request.json")
	writeFile(t, file, string(request))
	command := exec.CommandContext(t.Context(), curl, "--config", "-", "--aws-sigv4", "aws:amz:eu-central-1:sqs", "--fail-with-body", "--no-progress-meter", "--noproxy", "*",
		"--header", "X-Amz-Target: AmazonSQS.SendMessage", "--header", "Content-Type: application/x-amz-json-1.0", "--data-binary", "@"+file, *q.Options().BaseEndpoint+"/")
	command.Stdin = strings.NewReader(`user = "AKIDEXAMPLE:` + awsSecret + `"`)
	if answer, err := command.CombinedOutput(); err != nil || !strings.Contains(string(answer), "MD5OfMessageBody") {
		t.Fatalf("curl: %v\n%s", err, answer)
	}
	from := q.source(t)
	from.Format = event.AWS
	startPull(t, from, f)
	eventually(t, "the event is stored", func() bool { return len(f.events()) == 1 })
	eventually(t, "its message is deleted", func() bool { waiting, held := q.count(t, q.url); return waiting == "0" && held == "0" })
	f.assertEvents(t, "id")
}

func TestSQS_NoMoreIsTakenThanIsHeldAndThatIsGivenBackAtTheEnd(t *testing.T) {
	q, f := startSQS(t), &farms{away: errAway}
	for i := range 40 {
		q.send(t, cloudEvent(strconv.Itoa(i)))
	}
	stop, _ := startPull(t, q.source(t), f)
	eventually(t, "as many messages are held as may be", func() bool { _, held := q.count(t, q.url); return held == "32" })
	q.assertCount(t, "8", "32")
	stop()
	q.assertCount(t, "40", "0")
	f.assertEvents(t)
}

// What is not understood is never deleted here: the queue's own policy moves it.
func TestSQS_WhatIsNotUnderstoodGoesToTheDeadLetterQueue(t *testing.T) {
	q, f := startSQS(t), &farms{}
	q.send(t, "{")
	for range 2 { // others have received it
		got, err := q.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &q.url})
		if err != nil || len(got.Messages) != 1 {
			t.Fatalf("receive: %v", err)
		}
		q.showAll(t)
	}
	_, logs := startPull(t, q.source(t), f)
	eventually(t, "the message is refused", func() bool { return strings.Contains(messages(logs), "received again in 1h0m0s") })
	q.assertCount(t, "0", "1")
	q.showAll(t)
	eventually(t, "the message is dead", func() bool { waiting, _ := q.count(t, q.dead); return waiting == "1" })
	q.assertCount(t, "0", "0")
}

// showAll ends the time for which messages are hidden.
func (q testSQS) showAll(t *testing.T) {
	t.Helper()
	response, err := http.Get(q.inspect) //nolint:noctx // a server of the test
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var held struct {
		Messages struct {
			Inflight []struct{ ReceiptHandle string }
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&held); err != nil || len(held.Messages.Inflight) == 0 {
		t.Fatalf("no messages are hidden: %v", err)
	}
	for _, m := range held.Messages.Inflight {
		if _, err := q.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{QueueUrl: &q.url, ReceiptHandle: &m.ReceiptHandle}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSQS_AnAnswerThatIsNoneIsTriedAgain(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}`))
	}))
	defer server.Close()
	q := testSQS{reachable: server.URL + "/000000000000/expiry"}
	_, logs := startPull(t, q.source(t), &farms{})
	eventually(t, "it is logged", func() bool { return logs.Len() > 2 })
	assertLogged(t, logs, "no events can be taken; this is tried again", "QueueDoesNotExist")
}
