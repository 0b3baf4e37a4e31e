// Package launchdarklytest provides a LaunchDarkly server for tests. Like [net/http/httptest], it
// listens on loopback. It implements LaunchDarkly's streaming, polling and events endpoints, and
// simulates faults.
//
// A test starts a [Server], configures an SDK client (or a provider that owns one) with
// [Server.Config] and [Server.SDKKey], changes flags at any time, and inspects the events that the
// server received:
//
//	server := launchdarklytest.NewServer()
//	defer server.Close()
//	server.SetValue("new-checkout", true)
//
//	client, err := ld.MakeCustomClient(server.SDKKey(), server.Config(), 5*time.Second)
//
// # Flags
//
//   - [Server.SetValue] sets a flag that is on and serves one value to every context. The value is
//     of any Go type that can be converted to JSON.
//   - [Server.SetFlags] and [Server.SetSegments] take flags and segments built with
//     [github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders].
//   - [Server.SetFlagsJSON] and [Server.SetSegmentsJSON] take LaunchDarkly's JSON representation.
//   - [Server.DeleteFlags] and [Server.DeleteSegments] delete them.
//
// The server sends each change to the connected clients as LaunchDarkly does, with a version
// greater than the previous one, so that the SDK applies it as an update. A client that connects
// after a change has it once it is initialized. A client that is already connected receives it
// asynchronously, so a test has to wait for its effect.
//
// # Both protocols
//
// Clients with a DataSystem receive flag data by the second version of LaunchDarkly's protocol, all
// others by the first. A server supports both at the same time, and its methods apply to both.
// [Server.DataSystem] configures the second:
//
//	config := server.Config()
//	config.DataSystem = server.DataSystem().Default()
//
// A client that reconnects names the data that it has, and receives the changes since then; if the
// data is from another server, it receives everything. Payload filters have no effect, and the
// server never requests a fallback to the first protocol. Each stream receives a heartbeat every
// three minutes, because the SDK reconnects after five minutes without data.
//
// # Events
//
// Clients deliver events at intervals, by default every 5 seconds. A test calls Flush of the
// provider or the client before it inspects events. Without a flush, a missing event proves
// nothing.
//
//   - [Server.Events] and [Server.CustomEvents] return the received events, decoded.
//   - [Server.WaitForEvents], [Server.WaitForEventCount], [Server.WaitForRequests] and
//     [Server.WaitForStreams] wait until a condition holds, without polling.
//   - [Server.EventCount] and [Server.AllEvents] are for tests with very many events.
//   - [Server.Requests] returns each delivery and its response.
//
// Like LaunchDarkly, the server rejects a body that is not a JSON array with 400, discarding all
// its events. If a request repeats the payload ID of an accepted one, the server responds with 202
// and ignores its events.
//
// # Faults
//
// Each fault is set by one call and lasts until another clears it. Faults can be combined:
//
//	fault                                              set by            cleared by
//	event requests fail with a status                  RefuseEvents      AcceptEvents
//	event requests of more than n events get a 413     LimitEvents       LimitEvents(0)
//	event requests of more than n bytes get a 413      LimitEventBytes   LimitEventBytes(0)
//	events are accepted, then the connection is reset  ResetEvents       ResetEvents(0)
//	responses to event requests are delayed            DelayEvents       DelayEvents(0)
//	streams and polls fail with a status               RefuseStreams     AcceptStreams
//	streams connect but receive no data                HoldStreams       ReleaseStreams
//	connected streams are disconnected                 DropStreams
//	every request fails with 401                       RefuseSDKKey      AcceptSDKKey
//
// All methods of [Server] are safe for concurrent use.
//
// Gomega matchers are in the package
// [github.com/openfeature-launchdarkly/go-provider/launchdarklytest/ldmatchers].
package launchdarklytest
