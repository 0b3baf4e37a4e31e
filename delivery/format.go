package delivery

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"sync/atomic"
	"time"
	"unicode/utf8"

	ldevents "github.com/launchdarkly/go-sdk-events/v3"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"

	"github.com/openfeature-launchdarkly/go-provider/internal/httpstop"
	"github.com/openfeature-launchdarkly/go-provider/internal/jsonarray"
)

const (
	// maxBatch bounds the events that are formatted together.
	maxBatch = 2_000
	// formatDelay is how long a recorded event waits for others to be formatted with it.
	formatDelay = 50 * time.Millisecond
	// never is the flush interval of LaunchDarkly's processor: the formatter flushes it.
	never = 10 * 365 * 24 * time.Hour
	// barrierKind is the kind of the raw event that ends each batch. With it, the processor's
	// buffer is not empty, without which FlushBlocking never returns, and its presence proves that
	// the body is complete.
	barrierKind = "barrier"
)

// formatter converts recorded events to JSON with an event processor of LaunchDarkly's SDK, and
// appends them to the store. Only the goroutine of run uses it and that processor.
//
// As of go-sdk-events 3.6.2, the processor drops events if a buffer overflows, and FlushBlocking
// does not return if there is nothing to flush. Neither happens here: the processor is empty
// between two batches, has room for three batches, and each batch ends with a raw event.
type formatter struct {
	queue       *queue
	ledger      *ledger
	store       store
	report      *reporter
	build       func(contextKeys int) (ldevents.EventProcessor, error)
	contextKeys int
	processor   ldevents.EventProcessor
	capture     *capture
	interval    time.Duration // the flush interval
	flushes     chan struct{} // signals a flush before the interval ends
	delay       time.Duration // formatDelay, or less with a spool
	durable     bool          // whether to format the queued events when stopped
	stored      func()        // wakes the sender
	release     func()        // makes the sender send all stored events
	afterwards  func(func())  // calls a function once all stored events are on disk
	batch       []rawEvent
}

// capture is the HTTP transport of LaunchDarkly's processor. It keeps the body of the request and
// responds 202, so that the processor's own retry and shutdown never run.
type capture struct {
	request *http.Request // the last request, for its URL and headers
	body    []byte
	date    atomic.Pointer[string] // the Date header of the events service's last response, by which the processor ends debug events
}

// RoundTrip implements [http.RoundTripper].
func (c *capture) RoundTrip(request *http.Request) (*http.Response, error) {
	c.request = request
	c.body = c.body[:0]
	if n := int(request.ContentLength); cap(c.body) < n {
		c.body = make([]byte, 0, n)
	}
	text := bytes.NewBuffer(c.body)
	_, err := io.Copy(text, request.Body)
	c.body = text.Bytes()
	if err != nil {
		c.body = nil
	}
	response := httpstop.Respond(request, http.StatusAccepted)
	if date := c.date.Load(); date != nil {
		response.Header.Set("Date", *date)
	}
	return response, nil
}

// newFormatter builds LaunchDarkly's processor from a copy of the builder, with capture as its
// transport.
func newFormatter(
	events *ldcomponents.EventProcessorBuilder, client subsystems.BasicClientContext, contextKeys int,
) (*formatter, error) {
	f := &formatter{contextKeys: contextKeys, capture: &capture{}, delay: formatDelay, flushes: make(chan struct{}, 1)}
	client.HTTP.CreateHTTPClient = func() *http.Client { return &http.Client{Transport: f.capture} }
	f.build = func(contextKeys int) (ldevents.EventProcessor, error) {
		builder := *events
		builder.FlushInterval(never).Capacity(3*maxBatch + 8).EnableGzip(false).ContextKeysCapacity(contextKeys)
		return builder.Build(client)
	}
	var err error
	f.processor, err = f.build(contextKeys)
	return f, err
}

// template returns a request of LaunchDarkly's processor, for its URL and headers.
func (f *formatter) template() *http.Request {
	f.render(f.processor, nil)
	return f.capture.request
}

// run formats events until stop is closed: at once if they fill a batch or are to be flushed, and
// otherwise after a delay, so that there are few batches. At each interval, it makes the sender
// send all stored events.
func (f *formatter) run(stop <-chan struct{}) {
	interval := time.NewTicker(f.interval)
	defer interval.Stop()
	delay := time.NewTimer(f.delay)
	delay.Stop()
	delayed := false
	for {
		select {
		case <-f.queue.wake:
			waiting, now := f.queue.due()
			if now && f.formatNext() {
				signal(f.queue.wake) // the other cases get their turn between batches
				break
			}
			if waiting > 0 && !delayed {
				delay.Reset(f.delay)
				delayed = true
			}
			if f.ledger.flushing() {
				f.release()
			}
		case <-delay.C:
			delayed = false
			f.formatWaiting()
		case <-interval.C:
			f.formatWaiting()
			f.release()
		case <-f.flushes:
			f.formatWaiting()
			f.release()
		case <-stop:
			if f.durable {
				f.formatRest()
			}
			return
		}
		f.report.reportOverflow()
	}
}

// formatWaiting formats the events that are in the queue at the time of the call.
func (f *formatter) formatWaiting() {
	waiting, _ := f.queue.due()
	for waiting > 0 && f.formatNext() {
		waiting -= len(f.batch)
	}
}

// formatRest formats all events, so that they can be left on disk. It waits for room in the store
// for up to a second.
func (f *formatter) formatRest() {
	end := time.After(time.Second)
	for {
		f.formatWaiting()
		if waiting, _ := f.queue.due(); waiting == 0 {
			return
		}
		select {
		case <-f.queue.wake:
		case <-end:
			return
		}
	}
}

// formatNext formats a batch. It returns false if there is none for which the store has room.
func (f *formatter) formatNext() bool {
	f.batch = f.queue.take(f.batch[:0], f.store.room())
	if len(f.batch) == 0 {
		return false
	}
	f.format(f.batch)
	for i := range f.batch {
		if synced := f.batch[i].synced; synced != nil {
			f.afterwards(func() { close(synced) })
		}
	}
	clear(f.batch)
	return true
}

// format formats events of one epoch and appends them to the store.
func (f *formatter) format(batch []rawEvent) {
	epoch := batch[0].epoch
	out, ok := parseBody(f.render(f.processor, batch), len(batch))
	if !ok {
		batch = f.valid(batch)
		if out, ok = parseBody(f.render(f.processor, batch), len(batch)); !ok {
			f.refuse(batch)
			return
		}
	}
	for i := range batch {
		if text, ok := batch[i].event.(json.RawMessage); ok {
			out.add(text, kindControl, 0, 0)
		}
	}
	in := countInputs(batch)
	f.ledger.format(epoch, [groups]uint64{
		groupTracked: missing(in.custom, out.events[kindCustom]),
		groupOthers:  missing(in.control, out.events[kindControl]) + missing(in.full, out.events[kindEvaluation]) + uint64(in.excluded),
	}, uint64(out.events[kindDerived]+out.events[kindSummary]))
	for i := range out.all {
		out.all[i].epoch = epoch
		if out.all[i].kind == kindSummary { // itself and the evaluations that it counts
			out.all[i].weight = 1 + uint64(in.summarized)
		}
	}
	f.store.append(out.all)
	f.stored()
	f.measure(in, out)
}

// missing returns how many of the recorded events are not in the output, because they were sampled
// out.
func missing(in, out int) uint64 { return uint64(max(in-out, 0)) }

// valid returns the events of a batch that have a valid JSON form, and drops the others. It
// replaces the processor: the old one would not repeat the index events that were lost with the
// invalid body.
func (f *formatter) valid(batch []rawEvent) (valid []rawEvent) {
	if successor, err := f.build(f.contextKeys); err == nil {
		_ = f.processor.Close()
		f.processor = successor
	}
	probe, err := f.build(0)
	if err != nil {
		f.refuse(batch)
		return nil
	}
	defer probe.Close()
	for i := range batch {
		alone := batch[i : i+1]
		if _, ok := parseBody(f.render(probe, alone), 1); ok {
			valid = append(valid, alone[0])
		} else {
			f.refuse(alone)
		}
	}
	return valid
}

// refuse drops events that have no valid JSON form.
func (f *formatter) refuse(batch []rawEvent) {
	for i := range batch {
		raw := &batch[i]
		report := DropError{Cause: errNotJSON, Evaluations: 1}
		if custom, ok := raw.event.(ldevents.CustomEventData); ok {
			report = DropError{Cause: errNotJSON, Events: 1, EventName: custom.Key}
		}
		f.report.dropped(report)
		f.ledger.lose(raw.epoch, raw.kind.group(), 1, errNotJSON)
	}
}

// measure reports the memory of the events to the queue. Derived events count for both lanes, in
// proportion to their events. Summaries do not count: every batch has one, however few evaluations
// it summarizes.
func (f *formatter) measure(in inputs, out output) {
	events := [lanes]int{in.custom + in.control, in.full + in.summarized + in.excluded}
	bytes := [lanes]int{out.sizes[kindCustom] + out.sizes[kindControl], out.sizes[kindEvaluation]}
	for l, n := range events {
		bytes[l] += n * (out.sizes[kindDerived] / max(events[laneTracked]+events[laneEvaluations], 1))
	}
	f.queue.measure(events, bytes)
}

// render returns the body of the processor's request with the batch, without its raw events. The
// body is valid until the next call.
func (f *formatter) render(processor ldevents.EventProcessor, batch []rawEvent) []byte {
	for i := range batch {
		switch e := batch[i].event.(type) {
		case ldevents.CustomEventData:
			processor.RecordCustomEvent(e)
		case ldevents.EvaluationData:
			processor.RecordEvaluation(e)
		case ldevents.IdentifyEventData:
			processor.RecordIdentifyEvent(e)
		case ldevents.MigrationOpEventData:
			processor.RecordMigrationOpEvent(e)
		}
	}
	processor.RecordRawEvent(json.RawMessage(`{"kind":"` + barrierKind + `"}`))
	f.capture.body = f.capture.body[:0]
	processor.FlushBlocking(0)
	body := f.capture.body
	if cap(body) > maxRetainedBody {
		f.capture.body = nil
	}
	return body
}

// maxRetainedBody bounds the capacity of the buffer that is kept for the next batch.
const maxRetainedBody = 4 << 20

// close closes LaunchDarkly's processor and releases memory. The formatter must not be used
// afterwards.
func (f *formatter) close() {
	_ = f.processor.Close()
	f.batch, f.capture.body = nil, nil
}

// inputs counts recorded events by how the SDK formats them.
type inputs struct {
	custom, control int
	full            int // evaluations with an event of their own, unless they are sampled out
	summarized      int // evaluations in the summary only
	excluded        int // evaluations without an event that are excluded from summaries
}

func countInputs(batch []rawEvent) (n inputs) {
	for i := range batch {
		switch e := batch[i].event.(type) {
		case ldevents.CustomEventData:
			n.custom++
		case ldevents.EvaluationData:
			switch {
			case e.RequireFullEvent:
				n.full++
			case e.ExcludeFromSummaries:
				n.excluded++
			default:
				n.summarized++
			}
		default:
			n.control++
		}
	}
	return n
}

// output holds the events of a formatted batch.
type output struct {
	all    []event
	events [kinds]int
	sizes  [kinds]int // estimated memory as Go values
}

const (
	// objectSize estimates the memory of an object as a Go value, besides the size of its JSON:
	// that of a small map.
	objectSize = 700
	// valueSize is that of a value in an array.
	valueSize = 100
)

// add adds an event whose JSON has the given number of objects and arrays, and of values in arrays.
func (o *output) add(text []byte, k kind, containers, values int) {
	o.all = append(o.all, event{json: clone(text), kind: k, weight: 1})
	o.events[k]++
	o.sizes[k] += len(text) + containers*objectSize + values*valueSize
}

// parseBody splits the body of a request into its events. It returns false if the body is not valid
// JSON, or has no barrier. It replaces invalid UTF-8.
func parseBody(body []byte, capacity int) (out output, ok bool) {
	out.all = make([]event, 0, capacity+capacity/4+2)
	complete := false
	valid := jsonarray.Split(validText(body), func(element []byte, containers, values int) {
		if k, isEvent := kindOf(element); isEvent {
			out.add(element, k, containers, values)
		} else {
			complete = true
		}
	})
	return out, valid && complete
}

// validText replaces invalid UTF-8, because JSON must be valid UTF-8 (RFC 8259, section 8.1).
func validText(text []byte) []byte {
	if utf8.Valid(text) {
		return text
	}
	return bytes.ToValidUTF8(text, []byte("\uFFFD"))
}

// clone returns a copy of text without spare capacity.
func clone(text []byte) []byte {
	c := make([]byte, len(text))
	copy(c, text)
	return c
}
