package pull

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/farmtrust/farmtrust/internal/config"
)

// sqsWait is for how long SQS waits for a message before it says that there is none: the
// longest that it offers.
const sqsWait = 20 * time.Second

// sqsQueue is a queue of Amazon SQS. What is not understood stays in it, until the redrive
// policy of the queue moves it to a dead-letter queue, or its retention ends.
//
// Source: Amazon SQS API Reference.
type sqsQueue struct {
	client *sqs.Client
	url    string
}

func sqsPlace(c config.SQS) place {
	return place{name: c.URL, open: func(ctx context.Context) (queue, error) { return openSQS(ctx, c) }}
}

// openSQS calls nothing: credentials are looked for when they are needed.
func openSQS(ctx context.Context, c config.SQS) (queue, error) {
	options := []func(*awsconfig.LoadOptions) error{awsconfig.WithRegion(c.Region)}
	if c.AccessKeyID != "" {
		key, err := c.SecretAccessKey.Resolve()
		if err != nil {
			return nil, err
		}
		options = append(options, awsconfig.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(c.AccessKeyID, string(key.Bytes()), "")))
	}
	settings, err := awsconfig.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("read the settings of AWS: %w", err)
	}
	at, err := url.Parse(c.URL)
	if err != nil {
		return nil, err
	}
	// Requests go to the host that the configuration names, and to no other: that may be an
	// endpoint in a private network.
	client := sqs.NewFromConfig(settings, func(o *sqs.Options) { o.BaseEndpoint = aws.String(at.Scheme + "://" + at.Host) })
	return &sqsQueue{client, c.URL}, nil
}

func (q *sqsQueue) receive(ctx context.Context, max int) (all []*message, err error) {
	out, err := q.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &q.url, MaxNumberOfMessages: int32(max), //nolint:gosec // at most maxBatch
		WaitTimeSeconds: seconds(sqsWait), VisibilityTimeout: seconds(holdFor),
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameApproximateReceiveCount},
	})
	if err != nil {
		return nil, fmt.Errorf("receive from SQS: %w", err)
	}
	for _, m := range out.Messages {
		received, err := strconv.Atoi(m.Attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)])
		if err != nil {
			received = 1
		}
		all = append(all, &message{id: aws.ToString(m.MessageId), handle: aws.ToString(m.ReceiptHandle), received: received, body: []byte(aws.ToString(m.Body))})
	}
	return all, nil
}

func (q *sqsQueue) hold(ctx context.Context, m *message) error {
	return q.hideFor(ctx, m, holdFor)
}

func (q *sqsQueue) release(ctx context.Context, m *message) error {
	return q.hideFor(ctx, m, 0)
}

func (q *sqsQueue) finish(ctx context.Context, m *message) error {
	_, err := q.client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &q.url, ReceiptHandle: &m.handle})
	return explainSQS("delete a message of SQS", err)
}

func (q *sqsQueue) refuse(ctx context.Context, m *message, _ error) (string, error) {
	later := laterAfter(m.received)
	return "left in the queue; received again in " + later.String() + ", unless the queue's redrive policy moves it", q.hideFor(ctx, m, later)
}

func (q *sqsQueue) hideFor(ctx context.Context, m *message, d time.Duration) error {
	_, err := q.client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: &q.url, ReceiptHandle: &m.handle, VisibilityTimeout: seconds(d)})
	return explainSQS("change the visibility timeout of a message of SQS", err)
}

// explainSQS says of an error whether the message is somebody else's now.
func explainSQS(what string, err error) error {
	var invalid *types.ReceiptHandleIsInvalid
	var notInFlight *types.MessageNotInflight
	switch {
	case err == nil:
		return nil
	case errors.As(err, &invalid), errors.As(err, &notInFlight):
		return fmt.Errorf("%w: %w", errGone, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// seconds is a duration as the services take it; all of them are below a day.
func seconds(d time.Duration) int32 { return int32(d / time.Second) } //nolint:gosec // below a day
