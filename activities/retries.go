package activities

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
)

// onHost is what the input of an activity on one server is.
type onHost interface{ hostName() string }

func (in ServerInput) hostName() string { return in.Host }

func (in OldCertificateInput) hostName() string { return in.Host }

// tellRetry tells the worker's log of each attempt that has failed and is followed by
// another: workflows see only the last one, and tell of that.
func tellRetry(ctx context.Context, in *interceptor.ExecuteActivityInput, next executor) (any, error) {
	result, err := next(ctx, in)
	if err == nil || ctx.Err() != nil {
		return result, err
	}
	farmName, server := subjectOf(in.Args)
	info := activity.GetInfo(ctx)
	if pause, again := untilRetry(info, err); again {
		to := log.With(activity.GetLogger(ctx), "farm", farmName, "event", "retry", "server", server, "nextIn", pause)
		to.Warn(fmt.Sprintf("%s: attempt %d failed, the next in %s: %s", inWords(info.ActivityType.Name), info.Attempt, pause, strings.TrimPrefix(textOf(err), server+": ")))
	}
	return result, err
}

// subjectOf returns the farm and the server of an activity's input, as far as it
// names them.
func subjectOf(args []any) (farmName, server string) {
	if len(args) == 0 {
		return "", ""
	}
	switch in := args[0].(type) {
	case string: // of an activity about a whole farm
		return in, ""
	case mandated:
		farmName, _, _ = in.mandate()
	}
	if in, ok := args[0].(onHost); ok {
		server = in.hostName()
	}
	return farmName, server
}

// untilRetry returns how long after a failed attempt Temporal makes the next; false if
// it makes none.
//
// Source: Temporal, "Retry Policies".
func untilRetry(info activity.Info, err error) (time.Duration, bool) {
	application, isApplication := errors.AsType[*temporal.ApplicationError](err)
	policy := info.RetryPolicy
	if policy == nil {
		policy = &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 100 * time.Second} // Temporal's own
	}
	switch {
	case isApplication && application.NonRetryable(), policy.MaximumAttempts > 0 && info.Attempt >= policy.MaximumAttempts:
		return 0, false
	case isApplication && slices.Contains(policy.NonRetryableErrorTypes, application.Type()):
		return 0, false
	case isApplication && application.NextRetryDelay() > 0:
		return application.NextRetryDelay(), true
	}
	pause := time.Duration(float64(policy.InitialInterval) * math.Pow(policy.BackoffCoefficient, float64(info.Attempt-1)))
	if policy.MaximumInterval > 0 && (pause > policy.MaximumInterval || pause <= 0) {
		pause = policy.MaximumInterval
	}
	return pause, true
}

// textOf is an error in its own words, without its type.
func textOf(err error) string {
	if application, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return application.Message()
	}
	return err.Error()
}

// wordStart is where a word begins in the name of an activity.
var wordStart = regexp.MustCompile(`([a-z])([A-Z])|([A-Z])([A-Z][a-z])`)

// inWords is the name of an activity as words: "set HTTP settings".
func inWords(activityName string) string {
	words := strings.Fields(wordStart.ReplaceAllString(activityName, "$1$3 $2$4"))
	for i, word := range words {
		if word != strings.ToUpper(word) {
			words[i] = strings.ToLower(word)
		}
	}
	return strings.ReplaceAll(strings.Join(words, " "), "share point", "SharePoint")
}
