package payload

import (
	"context"
	"errors"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Converters read and write what Temporal stores. They belong together: each of them
// alone would leave something in clear, or lose something.
type Converters struct {
	Data    converter.DataConverter
	Failure converter.FailureConverter
	// Signals is an interceptor of workers.
	Signals interceptor.Interceptor
}

// NewConverters returns the converters for payloads that are written and read as o says.
func NewConverters(o Options) Converters {
	data := newDataConverter(NewCodec(o))
	return Converters{Data: data, Failure: newFailureConverter(data, o.Keys != nil), Signals: &signalFilter{codec: NewCodec(o)}}
}

// Apply has a client, and the workers that use it, write and read payloads as o says.
func (o Options) Apply(options *client.Options) {
	c := NewConverters(o)
	options.DataConverter, options.FailureConverter = c.Data, c.Failure
	// The SDK passes on what also is an interceptor of workers to each worker.
	options.Interceptors = append(options.Interceptors, c.Signals)
}

// dataConverter is a converter that does not let a workflow go on with a payload that
// cannot be read. The SDK would fail the workflow for good, as when a key ring lacks a
// key for an hour. A panic fails the attempt alone, which Temporal repeats until it
// succeeds.
type dataConverter struct {
	converter.DataConverter

	codec converter.PayloadCodec
}

func newDataConverter(c converter.PayloadCodec) *dataConverter {
	return &dataConverter{DataConverter: converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), c), codec: c}
}

// WithContext implements [converter.ContextAware].
func (d *dataConverter) WithContext(context.Context) converter.DataConverter { return d }

// WithWorkflowContext implements [converter.ContextAware].
func (d *dataConverter) WithWorkflowContext(ctx workflow.Context) converter.DataConverter {
	if isNew(ctx) {
		return d
	}
	return converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), blocking{d.codec})
}

// newEvents is the largest number of events that a workflow has when its code runs for
// the first time, if it was started by one of our clients: start, perhaps a signal, and
// the first task scheduled and started. No result of anything is among them.
const newEvents = 4

// isNew reports whether a workflow has just been started by a client. It has nothing to
// lose: one whose input is refused fails at once, and says why.
func isNew(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return !workflow.IsReplaying(ctx) && info.GetCurrentHistoryLength() <= newEvents &&
		info.ParentWorkflowExecution == nil && info.ContinuedExecutionRunID == ""
}

// blocking is a codec that panics with the error instead of returning it.
type blocking struct{ converter.PayloadCodec }

// Decode implements [converter.PayloadCodec].
func (b blocking) Decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	decoded, err := b.PayloadCodec.Decode(payloads)
	if err != nil {
		panic(err)
	}
	return decoded, nil
}

// failureConverter encrypts the texts of failures, and says in the place of a text that
// cannot be read why.
type failureConverter struct {
	converter.FailureConverter

	data converter.DataConverter
}

func newFailureConverter(data converter.DataConverter, encrypts bool) *failureConverter {
	return &failureConverter{data: data, FailureConverter: temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{
		DataConverter: data, EncodeCommonAttributes: encrypts,
	})}
}

// FailureToError implements [converter.FailureConverter].
func (c *failureConverter) FailureToError(failure *failurepb.Failure) error {
	for f := failure; f != nil; f = f.GetCause() {
		var text any
		if f.GetEncodedAttributes() == nil {
			continue
		}
		if err := c.data.FromPayload(f.GetEncodedAttributes(), &text); err != nil {
			f.Message, f.EncodedAttributes = fmt.Sprintf("the text of this failure cannot be read: %v", err), nil
		}
	}
	return c.FailureConverter.FailureToError(failure)
}

// signalFilter drops signals that were not encrypted by us, before a workflow sees them.
// Everything else that a workflow reads it waits for, but anybody can send a signal, and
// a workflow must not wait for the sender of a forged one. A signal that was encrypted
// with a key that is not known here is no forged one: the workflow waits for the key.
type signalFilter struct {
	interceptor.InterceptorBase

	codec converter.PayloadCodec
}

// InterceptWorkflow implements [interceptor.WorkerInterceptor].
func (f *signalFilter) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &signalInbound{WorkflowInboundInterceptorBase: interceptor.WorkflowInboundInterceptorBase{Next: next}, codec: f.codec}
}

type signalInbound struct {
	interceptor.WorkflowInboundInterceptorBase

	codec converter.PayloadCodec
}

// HandleSignal implements [interceptor.WorkflowInboundInterceptor].
func (i *signalInbound) HandleSignal(ctx workflow.Context, in *interceptor.HandleSignalInput) error {
	_, err := i.codec.Decode(in.Arg.GetPayloads())
	if errors.Is(err, ErrClear) || errors.Is(err, ErrAltered) {
		workflow.GetLogger(ctx).Warn("a signal is dropped", "signal", in.SignalName, "error", err)
		return nil
	}
	return i.Next.HandleSignal(ctx, in)
}
