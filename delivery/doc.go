// Package delivery brings tracked events to LaunchDarkly without losing any on the way.
//
// LaunchDarkly's own event processor drops events when they come faster than it can format them, when more come
// between two flushes than its buffer holds, and when a request fails twice. That is fine for evaluation summaries, and
// not for custom events: they are the revenue and the conversions of experiments. [Lossless] keeps LaunchDarkly's event
// processor, with its formatting and its redaction of private attributes, and puts custom events into a lane of their
// own:
//
//   - a bounded queue, from which LaunchDarkly's processor gets no more at a time than one request carries;
//   - requests that are retried with exponential backoff and jitter after network errors, the statuses 408, 429
//     (respecting Retry-After) and 5xx, until they are accepted or the processor is shut down, and once more after a 400.
//     The payload ID stays the same, so that LaunchDarkly can drop what it had accepted before;
//   - when the queue is full, a short wait for room as long as requests succeed; when they fail, the new event is
//     dropped at once, counted and reported;
//   - an event that is no valid JSON, because of a NaN in it for one, is refused at once; a request that is too large
//     (413), or not valid JSON for reasons seen only when it is put together, is divided until what can be delivered is;
//   - after 401 or 403, one error, and no more requests.
//
// Everything else (evaluations, identify events, migrations) takes LaunchDarkly's usual path, in a processor of its
// own: a storm of evaluations can't push out a tracked event.
//
// # What it costs
//
// The two lanes each keep track of the contexts that they have described to LaunchDarkly, so that a context that both
// evaluates and tracks is described twice in each interval of ContextKeysFlushInterval. The SDK sends its diagnostic
// events (periodic statistics about itself) only with its own event processor, so that there are none with this one.
// While events wait, they take memory: at most [WithMaxEvents] and [WithMaxBytes], those in the current request included,
// and beyond that the JSON of that one request. The parts of a request that was divided don't describe its contexts again
// in events of their own; each custom event carries its context in any case.
package delivery
