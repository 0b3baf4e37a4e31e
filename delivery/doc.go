// Package delivery delivers the events of LaunchDarkly's SDK without loss: conversions (tracked
// events) and exposures (evaluation events) alike.
//
// LaunchDarkly's own event processor drops events that are recorded faster than it can format
// them, events beyond its capacity between two flushes, and the events of a request that failed
// twice. [Lossless] keeps that processor for formatting and for the redaction of private
// attributes, and stores and sends the events itself:
//
//	Record… → queue → formatter → store → sender → events service
//
// Each step has one task:
//
//   - The queue holds recorded events until they are formatted, in two lanes: one for custom,
//     identify and migration events, and one for evaluations. If its lane is full, recording a
//     custom event blocks for at most [WithMaxWait], and an evaluation is dropped and counted.
//     Evaluations never displace custom events.
//   - The formatter passes events to LaunchDarkly's processor in batches and receives their JSON.
//     An event without a valid JSON form, such as one with a metric value of NaN, is
//     dropped; the rest of its batch is not. Summaries are merged until they are sent.
//   - The store holds formatted events: in memory by default, bounded by [WithMaxEvents] and
//     [WithMaxBytes], or with [WithSpool] in files that outlive the process.
//   - The sender sends one request at a time with up to [WithRequestEvents] events: at each flush
//     interval, when enough events wait for a request, and for a flush.
//
// # Failed requests
//
// Events are delivered if the response has a 2xx status and is not an HTML page. Any other outcome
// is ambiguous: a firewall that rejects a word in one event responds as if the SDK key were
// revoked, and a gateway that fails on one event responds as in an outage. So every failed request
// is retried, with exponential backoff and jitter, and with the same payload ID, by which
// LaunchDarkly ignores duplicates.
//
// A request is divided only if it failed, another one succeeded afterwards, and it failed again.
// That is repeated until the event at fault is alone. It is then retried for some minutes, or up to
// half an hour if other requests fail now and then, too, while all other events are delivered, and
// finally dropped, counted and reported. A response of 429 or 503 is about the service: it never
// causes an event to be dropped.
//
// A request that is too large (413), or that cannot be written within [WithRequestTimeout], is
// divided at once, and later requests are smaller. While the service responds 401 or 403 to every
// request, events wait and are retried after long pauses.
//
// # Limits
//
// Delivered means accepted by the first hop. LaunchDarkly's Relay Proxy accepts events before it
// queues them, and drops those beyond its EVENTS_CAPACITY; see [WithMaxRate]. Events in memory are
// lost when the process ends; see [WithSpool]. If the response to an accepted request is lost and
// the request must be divided later, its events can be delivered twice; [Stats] counts them as
// repeated. Events that failed can be delivered after later ones. Diagnostic events (the SDK's
// periodic statistics about itself) are not sent, because only the SDK's own event processor
// creates them.
package delivery
