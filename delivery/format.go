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
	// maxBatch is how many recorded events are formatted together at most.
	maxBatch = 2_000
	// formatDelay is how long a recorded event waits for others, to be formatted with them.
	formatDelay = 50 * time.Millisecond
	// never is a flush interval that leaves all flushing to us.
	never = 10 * 365 * 24 * time.Hour
	// barrierKind is the kind of the raw event that ends each batch. It makes a flush of
	// LaunchDarkly's processor non-empty, without which FlushBlocking never returns, and its
	// presence proves that the body is whole.
	barrierKind = "barrier"
)

// formatter turns recorded events into the events service's JSON with an event processor of
// LaunchDarkly's, and appends them to the store. It belongs to the goroutine that runs it, which is
// the only one that calls that processor.
//
// As of go-sdk-events 3.6.2, the processor drops events when one of its buffers overflows, and
// FlushBlocking does not return when there is nothing to flush. Neither happens here: the processor
// is empty between two batches, has room for three times a batch, and each batch ends with a raw
// event.
type formatter struct {
	queue       *queue
	ledger      *ledger
	store       store
	report      *reporter
	build       func(contextKeys int) (ldevents.EventProcessor, error)
	contextKeys int
	processor   ldevents.EventProcessor
	capture     *capture
	interval    time.Duration // after which everything is sent, however little it is
	flushes     chan struct{} // the same, on demand
	delay       time.Duration // formatDelay, or less
	durable     bool          // what waits is formatted when it is stopped
	stored      func()        // wakes the sender
	release     func()        // has the sender send all that is stored
	afterwards  func(func())  // calls it once what is stored is durable
	batch       []rawEvent
}

// capture is the HTTP transport of LaunchDarkly's processor. It keeps the body of the request and
// answers 202, so that the processor's own retry and shutdown never run.
type capture struct {
	request *http.Request // the last one: its URL and headers are those of our requests
	body    []byte
	date    atomic.Pointer[string] // of the events service's last response; the processor ends debug events by it
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

// newFormatter builds LaunchDarkly's processor from a copy of the builder, with our transport below
// it.
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

// template returns the URL and the headers that LaunchDarkly's SDK gives to a request with events.
func (f *formatter) template() *http.Request {
	f.render(f.processor, nil)
	return f.capture.request
}

// run formats until it is stopped: at once what fills a batch or is to be flushed, and the rest a
// moment after it was recorded, so that few events make few batches. At each interval it has the
// sender send what is stored.
func (f *formatter) run(stop <-chan struct{}) {
	interval := time.NewTicker(f.interval)
	defer interval.Stop()
	delay := time.NewTimer(f.delay)
	delay.Stop()
	delayed := false
	for {
		select {
		case <-f.queue.wake:
			for f.due() && f.formatNext() {
			}
			if waiting, _ := f.queue.due(); waiting > 0 && !delayed {
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

func (f *formatter) due() bool {
	_, now := f.queue.due()
	return now
}

// formatWaiting formats what waits now; what is recorded meanwhile is for later.
func (f *formatter) formatWaiting() {
	waiting, _ := f.queue.due()
	for waiting > 0 && f.formatNext() {
		waiting -= len(f.batch)
	}
}

// formatRest formats all that waits, so that it can be left on disk. It has to wait while the store
// has no room.
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

// formatNext formats a batch, and returns whether there was one that the store has room for.
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
			out.add(text, kindControl, 0)
		}
	}
	in := recorded(batch)
	f.ledger.format(epoch, [groups]uint64{
		groupTracked: left(in.custom, out.events[kindCustom]),
		groupOthers:  left(in.control, out.events[kindControl]) + left(in.full, out.events[kindEvaluation]) + uint64(in.silent),
	}, uint64(out.events[kindDerived]+out.events[kindSummary]))
	for i := range out.all {
		out.all[i].epoch = epoch
		if out.all[i].kind == kindSummary { // itself, and the evaluations that nothing else accounts for
			out.all[i].weight = 1 + uint32(in.summed)
		}
	}
	f.store.append(out.all)
	f.stored()
	f.measure(in, out)
}

// left returns how many of the recorded events are not in the output: they were sampled out.
func left(in, out int) uint64 { return uint64(max(in-out, 0)) }

// valid returns the events of a batch that make valid JSON each by itself, and drops the others.
// With the body of the batch, the descriptions of contexts that it contained are lost, so that
// another processor takes over that has not described any.
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

// measure passes the memory that recorded events took to the queue. What is derived counts for the
// tracked ones if there are any: it describes their contexts.
func (f *formatter) measure(in inputs, out output) {
	events := [lanes]int{in.custom + in.control, in.full + in.summed + in.silent}
	bytes := [lanes]int{
		out.sizes[kindCustom] + out.sizes[kindControl], out.sizes[kindEvaluation] + out.sizes[kindSummary],
	}
	if events[laneTracked] > 0 {
		bytes[laneTracked] += out.sizes[kindDerived]
	} else {
		bytes[laneEvaluations] += out.sizes[kindDerived]
	}
	f.queue.measure(events, bytes)
}

// render returns the body of the request that the processor makes of the batch, other than of raw
// events. It is valid until the next call.
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

// maxRetainedBody is how large a buffer may be that is kept for the next batch.
const maxRetainedBody = 4 << 20

// close ends LaunchDarkly's processor, and releases memory. Nothing may be formatted afterwards.
func (f *formatter) close() {
	_ = f.processor.Close()
	f.batch, f.capture.body = nil, nil
}

// inputs counts recorded events by what the SDK makes of them.
type inputs struct {
	custom, control int
	full            int // evaluations with an event of their own, unless it is sampled out
	summed          int // evaluations that only the summary counts
	silent          int // evaluations that are left out altogether
}

func recorded(batch []rawEvent) (n inputs) {
	for i := range batch {
		switch e := batch[i].event.(type) {
		case ldevents.CustomEventData:
			n.custom++
		case ldevents.EvaluationData:
			switch {
			case e.RequireFullEvent:
				n.full++
			case e.ExcludeFromSummaries:
				n.silent++
			default:
				n.summed++
			}
		default:
			n.control++
		}
	}
	return n
}

// output is what a batch became.
type output struct {
	all    []event
	events [kinds]int
	sizes  [kinds]int // about what they took as Go values
}

// objectSize is about what an object takes as a Go value, besides the text of its JSON: a map of a
// few values.
const objectSize = 700

func (o *output) add(text []byte, k kind, containers int) {
	o.all = append(o.all, event{json: clone(text), kind: k, weight: 1})
	o.events[k]++
	o.sizes[k] += len(text) + containers*objectSize
}

// parseBody divides the body of a request into its events. It returns false where the body is not
// valid JSON, or has no barrier. Text that is not UTF-8 is replaced.
func parseBody(body []byte, capacity int) (out output, ok bool) {
	out.all = make([]event, 0, capacity+capacity/4+2)
	whole := false
	valid := jsonarray.Split(validText(body), func(element []byte, containers int) {
		if k, isEvent := kindOf(element); isEvent {
			out.add(element, k, containers)
		} else {
			whole = true
		}
	})
	return out, valid && whole
}

// validText replaces what is not UTF-8, as the events service's JSON has to be (RFC 8259, section
// 8.1).
func validText(text []byte) []byte {
	if utf8.Valid(text) {
		return text
	}
	return bytes.ToValidUTF8(text, []byte("\uFFFD"))
}

// clone copies a text that is to be kept, without more room than it needs.
func clone(text []byte) []byte {
	c := make([]byte, len(text))
	copy(c, text)
	return c
}
