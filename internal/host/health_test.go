package host_test

import (
	"context"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporal "go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/farmtrust/farmtrust/internal/host"
)

// testQueue is a Temporal client that knows who polls the activities of one task
// queue.
type testQueue struct {
	temporal.Client
	name, identity string
	polled         time.Time
}

func (q testQueue) DescribeTaskQueue(_ context.Context, name string, kind enumspb.TaskQueueType) (*workflowservice.DescribeTaskQueueResponse, error) {
	response := &workflowservice.DescribeTaskQueueResponse{}
	if name == q.name && kind == enumspb.TASK_QUEUE_TYPE_ACTIVITY {
		response.Pollers = []*taskqueuepb.PollerInfo{{Identity: q.identity, LastAccessTime: timestamppb.New(q.polled)}}
	}
	return response, nil
}

func TestCheckPolling(t *testing.T) {
	for name, c := range map[string]struct {
		queue testQueue
		want  string
	}{
		"it polls": {testQueue{name: "farmtrust/berlin", identity: "farmtrust-worker@box-1 pid=7 config=0011223344aa", polled: time.Now()}, ""},
		"it stopped polling": {
			testQueue{name: "farmtrust/berlin", identity: "farmtrust-worker@box-1 pid=7 config=0011223344aa", polled: time.Now().Add(-4 * time.Minute)},
			"no worker on box-1 polls task queue farmtrust/berlin",
		},
		"another machine polls": {
			testQueue{name: "farmtrust/berlin", identity: "farmtrust-worker@box-10 pid=7 config=0011223344aa", polled: time.Now()},
			"no worker on box-1 polls task queue farmtrust/berlin",
		},
		"it polls for another site": {
			testQueue{name: "farmtrust", identity: "farmtrust-worker@box-1 pid=7 config=0011223344aa", polled: time.Now()},
			"no worker on box-1 polls task queue farmtrust/berlin",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := host.CheckPolling(t.Context(), c.queue, "berlin", "box-1"); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
