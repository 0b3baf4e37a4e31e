package delivery

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	ldevents "github.com/launchdarkly/go-sdk-events/v3"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"

	"github.com/openfeature-launchdarkly/go-provider/internal/httpstop"
)

const (
	// maxBatch is how many recorded events are formatted together at most.
	maxBatch = 1_000
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
	queue      *queue
	ledger     *ledger
	store      store
	report     *reporter
	build      func(contextKeys int) (ldevents.EventProcessor, error)
	processor  ldevents.EventProcessor
	capture    *capture
	interval   time.Duration // after which everything is sent, however little it is
	flushes    chan struct{} // the same, on demand
	delay      time.Duration // formatDelay, or less
	durable    bool          // what waits is formatted when it is stopped
	stored     func()        // wakes the sender
	release    func()        // has the sender send all that is stored
	afterwards func(func())  // calls it once what is stored is durable
	batch      []rawEvent
	average    [lanes]float64
	described  map[string]bool // contexts, while a batch is formatted singly; nil otherwise
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
	f := &formatter{capture: &capture{}, delay: formatDelay, flushes: make(chan struct{}, 1)}
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
			if f.ledger.lastWatch() > 0 {
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
	if !f.format(f.processor, f.batch) {
		f.formatSingly(f.batch)
	}
	for i := range f.batch {
		if synced := f.batch[i].synced; synced != nil {
			f.afterwards(func() { close(synced) })
		}
	}
	clear(f.batch)
	return true
}

// formatSingly formats a batch that is spoiled by one of its events. The processor for that
// describes the context of each event, because the descriptions in the batch are lost with it.
func (f *formatter) formatSingly(batch []rawEvent) {
	processor, err := f.build(0)
	if err == nil {
		defer processor.Close()
	}
	f.described = make(map[string]bool)
	defer func() { f.described = nil }()
	for i := range batch {
		if err == nil && f.format(processor, batch[i:i+1]) {
			continue
		}
		raw := &batch[i]
		report := DropError{Cause: errNotJSON, Events: 1}
		if custom, ok := raw.event.(ldevents.CustomEventData); ok {
			report.EventName = custom.Key
		} else {
			report.Events, report.Evaluations = 0, 1
		}
		f.report.dropped(report)
		f.ledger.lose(raw.epoch, raw.kind.group(), 1, errNotJSON)
	}
}

// isDescribed reports whether an event describes a context that another one of the batch has
// described.
func (f *formatter) isDescribed(e event) bool {
	_, context, found := strings.Cut(string(e.json), `"context":`)
	if e.kind != kindDerived || !found || !strings.HasPrefix(string(e.json), `{"kind":"index"`) {
		return false
	}
	described := f.described[context]
	f.described[context] = true
	return described
}

// format formats events of one epoch and appends them to the store. It returns false, and has done
// nothing, where they do not make valid JSON.
func (f *formatter) format(processor ldevents.EventProcessor, batch []rawEvent) bool {
	if text, ok := batch[0].event.(json.RawMessage); ok && len(batch) == 1 {
		return f.formatted(text, batch[0].epoch)
	}
	body := f.render(processor, batch)
	formatted, sizes, ok := parseBody(body, len(batch))
	if !ok {
		return false
	}
	if f.described != nil {
		formatted = slices.DeleteFunc(formatted, f.isDescribed)
	}
	epoch := batch[0].epoch
	in, out := recorded(batch), outputs(formatted)
	f.ledger.format(epoch, [groups]uint64{
		groupTracked: in.custom - min(in.custom, out.custom),
		groupOthers:  in.control - min(in.control, out.control) + in.full - min(in.full, out.full) + in.silent,
	}, out.derived)
	for i := range formatted {
		formatted[i].epoch = epoch
		if formatted[i].kind == kindSummary { // itself, and the evaluations that nothing else accounts for
			formatted[i].weight = 1 + uint32(in.summed)
		}
	}
	f.store.append(formatted)
	f.stored()
	f.measure(sizes, in)
	return true
}

// formatted appends an event that is JSON already.
func (f *formatter) formatted(text []byte, epoch uint32) bool {
	text = validText(text)
	if !json.Valid(text) {
		return false
	}
	f.store.append([]event{{json: clone(text), kind: kindControl, weight: 1, epoch: epoch}})
	f.stored()
	return true
}

// measure keeps the average size of a recorded event of each lane.
func (f *formatter) measure(sizes [kinds]int, in inputs) {
	tracked, evaluations := in.custom+in.control, in.full+in.summed+in.silent
	total := [lanes]int{
		laneTracked:     sizes[kindCustom] + sizes[kindControl],
		laneEvaluations: sizes[kindEvaluation] + sizes[kindSummary],
	}
	if tracked == 0 { // what is derived describes their contexts
		total[laneEvaluations] += sizes[kindDerived]
	} else {
		total[laneTracked] += sizes[kindDerived]
	}
	for l, n := range [lanes]uint64{laneTracked: tracked, laneEvaluations: evaluations} {
		if n == 0 {
			continue
		}
		average := float64(total[l]) / float64(n)
		if average < f.average[l] { // it grows at once and shrinks slowly
			average = (3*f.average[l] + average) / 4
		}
		f.average[l] = average
	}
	f.queue.measure([lanes]int{int(f.average[laneTracked]), int(f.average[laneEvaluations])})
}

// render returns the body of the request that the processor makes of the batch. It is valid until
// the next call.
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

// close ends LaunchDarkly's processor. Nothing may be formatted afterwards.
func (f *formatter) close() { _ = f.processor.Close() }

// inputs counts recorded events by what the SDK makes of them.
type inputs struct {
	custom, control uint64
	full            uint64 // evaluations with an event of their own, unless it is sampled out
	summed          uint64 // evaluations that only the summary counts
	silent          uint64 // evaluations that are left out altogether
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

// outcomes counts formatted events.
type outcomes struct{ custom, control, full, derived uint64 }

func outputs(events []event) (n outcomes) {
	for i := range events {
		switch events[i].kind {
		case kindCustom:
			n.custom++
		case kindControl:
			n.control++
		case kindEvaluation:
			n.full++
		case kindDerived, kindSummary:
			n.derived++
		}
	}
	return n
}

// objectSize is about what an object takes as a Go value, besides the text of its JSON: a map of a
// few values.
const objectSize = 700

// parseBody divides the body of a request into its events. It returns false where the body is not
// valid JSON, or has no barrier. Text that is not UTF-8 is replaced. sizes is about what the events
// of each kind took as Go values.
func parseBody(body []byte, capacity int) (events []event, sizes [kinds]int, ok bool) {
	body = validText(body)
	if !json.Valid(body) {
		return nil, sizes, false
	}
	events = make([]event, 0, capacity+capacity/4+2)
	whole := false
	for element, objects := range elements(body) {
		k, isEvent := kindOf(element)
		if !isEvent {
			whole = true
			continue
		}
		events = append(events, event{json: clone(element), kind: k, weight: 1})
		sizes[k] += len(element) + objects*objectSize
	}
	return events, sizes, whole
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

// elements yields the elements of a valid JSON array, and how many objects and arrays each consists
// of.
func elements(array []byte) func(yield func([]byte, int) bool) {
	return func(yield func([]byte, int) bool) {
		depth, begin, objects := 0, 0, 0
		for i := 0; i < len(array); i++ {
			switch array[i] {
			case '"':
				for i++; array[i] != '"'; i++ {
					if array[i] == '\\' {
						i++
					}
				}
			case '[', '{':
				objects++
				if depth++; depth == 1 {
					begin, objects = i+1, 0
				}
			case ']', '}':
				if depth--; depth > 0 {
					continue
				}
				if element := bytes.TrimSpace(array[begin:i]); len(element) > 0 {
					yield(element, objects)
				}
				return
			case ',':
				if depth == 1 {
					if !yield(bytes.TrimSpace(array[begin:i]), objects) {
						return
					}
					begin, objects = i+1, 0
				}
			}
		}
	}
}
