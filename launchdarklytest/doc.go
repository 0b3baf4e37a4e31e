// Package launchdarklytest is LaunchDarkly in a box: the streaming, polling and events endpoints of
// LaunchDarkly, on loopback, for tests. It is to LaunchDarkly what [net/http/httptest] is to HTTP.
//
// A test starts a [Server], points an SDK client (or a provider that owns one) at it with
// [Server.Config] and [Server.SDKKey], changes flags while everything runs, and looks at what arrived:
//
//	box := launchdarklytest.NewServer()
//	defer box.Close()
//	box.SetValue("new-checkout", true)
//
//	client, err := ld.MakeCustomClient(box.SDKKey(), box.Config(), 5*time.Second)
//
// # Flags
//
//   - [Server.SetValue] is the short way: a flag that is on and serves one value to everyone, of any Go type
//     that has a JSON form.
//   - [Server.SetFlags] and [Server.SetSegments] take what
//     [github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders] builds.
//   - [Server.SetFlagsJSON] and [Server.SetSegmentsJSON] take LaunchDarkly's own JSON.
//   - [Server.DeleteFlags] and [Server.DeleteSegments] archive them.
//
// Each change reaches the connected clients as LaunchDarkly sends it, and gets a version above the one
// before, so that the SDK takes it as an update. A client that connects after a change has it once it is
// initialized; one that is connected gets it a moment later, so that a test has to wait for what follows.
//
// # Both protocols
//
// Clients with a DataSystem get their flag data by LaunchDarkly's second protocol, all others by the first.
// A server speaks both at the same time: what is written here of streams and polls holds for either.
// [Server.DataSystem] configures the second:
//
//	config := box.Config()
//	config.DataSystem = box.DataSystem().Default()
//
// A client that comes back names the data that it has, and gets what has changed since; data of another
// server does not count. Payload filters have no effect, and clients are never told to go back to the first
// protocol. Streams get a heartbeat every three minutes, without which an SDK would open an idle stream again
// after five.
//
// # Events
//
// Clients deliver at intervals, of 5s by default. A test does not wait for that: it flushes, with the provider's or the
// client's Flush, and then looks. Without it, that something has not arrived says nothing.
//
//   - [Server.Events] and [Server.CustomEvents] give what has arrived, typed.
//   - [Server.WaitForEvents], [Server.WaitForEventCount], [Server.WaitForRequests] and
//     [Server.WaitForStreams] wait for it without sleeping.
//   - [Server.EventCount] and [Server.AllEvents] are for tests that send a great many.
//   - [Server.Requests] says how each delivery was made and answered.
//
// As at LaunchDarkly, a body that is not a JSON array is answered with 400, all its events lost, and a
// request that repeats an accepted payload id is answered with 202 and changes nothing.
//
// # Faults
//
// Each is one call, holds until the call that undoes it, and can be combined with the others:
//
//	fault                                                    call                    undone by
//	events are answered with a status                        RefuseEvents            AcceptEvents
//	events are answered with 413 above so many events        LimitEvents             LimitEvents(0)
//	events are answered with 413 above so many bytes         LimitEventBytes         LimitEventBytes(0)
//	events are taken, but the connection is then reset       ResetEvents             ResetEvents(0)
//	events are answered late                                 DelayEvents             DelayEvents(0)
//	streams and polls are answered with a status             RefuseStreams           AcceptStreams
//	streams connect and then get no data                     HoldStreams             ReleaseStreams
//	the connected streams are cut                            DropStreams
//	every request is answered with 401                       RefuseSDKKey            AcceptSDKKey
//
// Every method of [Server] is safe for concurrent use.
//
// Gomega matchers are in the package
// [github.com/openfeature-launchdarkly/go-provider/launchdarklytest/ldmatchers].
package launchdarklytest
