package activities

import (
	"context"

	"go.temporal.io/sdk/activity"
)

// An inspection also runs outside Temporal, see [Activities.InspectFarm]: then there is
// one attempt, nobody to send a heartbeat to, and no worker that stops.

// attemptOf returns the number of the attempt, from 1.
func attemptOf(ctx context.Context) int32 {
	if !activity.IsActivity(ctx) {
		return 1
	}
	return activity.GetInfo(ctx).Attempt
}

func sendHeartbeat(ctx context.Context) {
	if activity.IsActivity(ctx) {
		activity.RecordHeartbeat(ctx)
	}
}

// workerStops is closed when the worker stops.
func workerStops(ctx context.Context) <-chan struct{} {
	if !activity.IsActivity(ctx) {
		return nil
	}
	return activity.GetWorkerStopChannel(ctx)
}
