// Package delivery delivers LaunchDarkly's events without losing any on the way: conversions
// (tracked events) and exposures (evaluation events) alike.
//
// LaunchDarkly's own event processor drops events when they come faster than it can format them,
// when more come between two flushes than its buffer holds, and when a request fails twice.
// [Lossless] keeps that processor for what it does well, formatting and redaction of private
// attributes, and stores and sends the events itself:
//
//		Record… → queue → formatter → store → sender → events service
//
//	  - The queue takes recorded events, in a lane for custom, identify and migration events and one
//	    for evaluations. It holds a moment's worth. While it is full, recording a custom event blocks
//	    for at most [WithMaxWait]; an evaluation that finds it full is dropped and counted.
//	    Evaluations never displace a custom event.
//	  - The formatter has LaunchDarkly's processor turn events into JSON, batch by batch. An event
//	    without a valid JSON form, such as one with a metric value of NaN, is dropped by itself.
//	    Summaries are merged until they are sent.
//	  - The store holds formatted events, in memory by default, within [WithMaxEvents] and
//	    [WithMaxBytes]; with [WithSpool], in files that a later process delivers.
//	  - The sender sends one request at a time, with everything that waits up to [WithRequestEvents]:
//	    at each flush interval, when there is enough for a request, and for a flush.
//
// # Failed requests
//
// Only a 2xx status delivers, and only without an HTML page. Everything else is ambiguous: a
// firewall that rejects one word in one event answers as for a revoked key, and a gateway that
// fails on one event as in an outage. So every failed request is retried, with exponential backoff
// and jitter, under the same payload ID, by which LaunchDarkly drops what it has received before.
// An event is found guilty by contrast only: it failed, something else passed, and it failed again.
// Then its request is divided until the event is alone. Alone, it is retried for minutes while all
// others are delivered, and at last dropped, counted and reported.
//
// A request that is too large (413), or that cannot be written within [WithRequestTimeout], is
// divided; later requests stay smaller. While the service answers 401 or 403 to everything, events
// wait and are retried with long pauses.
//
// # Limits
//
// Delivered means accepted by the first hop. LaunchDarkly's Relay Proxy accepts events before it
// queues them and drops what exceeds its EVENTS_CAPACITY; see [WithMaxRate]. Events in memory end
// with the process; see [WithSpool]. Where the service has accepted a request and its answer was
// lost, and the request has to be divided afterwards, its events can arrive twice; they are counted
// in [Stats]. Events that failed for long may arrive after later ones. There are no diagnostic
// events (the SDK's periodic statistics about itself): the SDK sends them with its own event
// processor only.
package delivery
