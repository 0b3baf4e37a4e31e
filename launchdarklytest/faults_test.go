package launchdarklytest_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces"

	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

const oneEvent = `[{"kind":"custom","key":"a"}]`

func TestRefuseEvents(t *testing.T) {
	box := newBox(t)
	client := newHTTPClient(t)
	send := func(want int, retryAfter string) {
		t.Helper()
		response, err := post{id: "same", body: oneEvent}.send(t, client, box)
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != want || response.Header.Get("Retry-After") != retryAfter {
			t.Errorf("got %d, Retry-After %q", response.StatusCode, response.Header.Get("Retry-After"))
		}
	}
	box.RefuseEvents(503)
	send(503, "")
	send(503, "")
	box.RefuseEvents(429, launchdarklytest.RetryAfter(1500*time.Millisecond))
	send(429, "2")
	box.AcceptEvents()
	send(202, "")

	for _, odd := range []int{0, -1, 200, 302, 600} {
		box.RefuseEvents(odd, launchdarklytest.Times(1))
		send(503, "")
	}
	box.RefuseEvents(500, launchdarklytest.Times(2), launchdarklytest.RetryAfter(-time.Second))
	send(500, "")
	send(500, "")
	send(202, "")
	box.RefuseEvents(500, launchdarklytest.Times(-1))
	send(500, "")
	send(500, "")

	// Payload IDs of refused requests are not recorded, so the retry is not a duplicate.
	if box.EventCount() != 1 {
		t.Errorf("got %v", box)
	}
	if request := box.Requests()[0]; request.Status != 503 || request.EventCount != 1 || request.Accepted {
		t.Errorf("got %+v", request)
	}
}

func TestLimitEventsAndBytes(t *testing.T) {
	const three = `[{"kind":"custom"},{"kind":"custom"},{"kind":"custom"}]`
	box := newBox(t)
	client := newHTTPClient(t)
	for _, step := range []struct {
		limit func()
		want  int
	}{
		{func() { box.LimitEvents(3) }, 202},
		{func() { box.LimitEvents(2) }, 413},
		{func() { box.LimitEvents(0) }, 202},
		{func() { box.LimitEvents(-1) }, 202},
		{func() { box.LimitEventBytes(len(three)) }, 202},
		{func() { box.LimitEventBytes(len(three) - 1) }, 413},
		{func() { box.LimitEventBytes(0) }, 202},
		{func() { box.LimitEventBytes(-1) }, 202},
	} {
		step.limit()
		for _, header := range []http.Header{nil, gzipped()} {
			if got := (post{body: three, header: header}).status(t, client, box); got != step.want {
				t.Errorf("got %d, want %d", got, step.want)
			}
		}
	}
	if box.EventCount() != 6*2*3 {
		t.Errorf("got %d events", box.EventCount())
	}
}

func TestResetEvents(t *testing.T) {
	box := newBox(t)
	client := newHTTPClient(t)
	send := func(id string) error {
		_, err := post{id: id, body: oneEvent}.send(t, client, box)
		return err
	}
	box.ResetEvents(1)
	if send("a") == nil {
		t.Error("got a response")
	}
	if box.EventCount() != 1 {
		t.Errorf("the events were not accepted: %v", box)
	}
	if request := box.Requests()[0]; request.Status != 0 || !request.Accepted {
		t.Errorf("got %+v", request)
	}
	if err := send("a"); err != nil {
		t.Error(err)
	}
	if request := box.Requests()[1]; request.Status != 202 || !request.Duplicate {
		t.Errorf("got %+v", request)
	}
	box.ResetEvents(-1)
	if send("b") == nil || send("c") == nil {
		t.Error("got a response")
	}
	box.ResetEvents(0)
	if err := send("d"); err != nil {
		t.Error(err)
	}
	if box.EventCount() != 4 {
		t.Errorf("got %v", box)
	}
}

func TestDelayEvents(t *testing.T) {
	box := newBox(t)
	client := newHTTPClient(t)
	done := make(chan error, 1)
	send := func(ctx context.Context) {
		go func() {
			_, err := post{body: oneEvent, ctx: ctx}.send(t, client, box)
			done <- err
		}()
	}
	arrived := func(n int) {
		t.Helper()
		if _, err := box.WaitForEvents(testContext(t), n, nil); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-done:
			t.Fatalf("got a response before the delay: %v", err)
		default:
		}
	}

	box.DelayEvents(time.Hour)
	send(testContext(t))
	arrived(1)
	box.DelayEvents(0)
	if err := <-done; err != nil {
		t.Errorf("the delayed request fails: %v", err)
	}

	box.DelayEvents(time.Hour)
	hangUp, cancel := context.WithCancel(testContext(t))
	send(hangUp)
	arrived(2)
	cancel()
	if <-done == nil {
		t.Error("got a response to a canceled request")
	}

	send(testContext(t))
	arrived(3)
	box.Close() // ends the delay
	if <-done == nil {
		t.Error("got a response from a closed server")
	}

	box = newBox(t)
	box.DelayEvents(time.Nanosecond)
	if got := (post{body: oneEvent}).status(t, client, box); got != 202 {
		t.Errorf("got %d after the delay", got)
	}
	box.DelayEvents(-time.Hour)
	if got := (post{body: oneEvent}).status(t, client, box); got != 202 {
		t.Errorf("got %d without a delay", got)
	}
}

// states returns a function that waits for the next state change of the data source, ignoring a
// late notification of the initial valid state.
func states(client *ld.LDClient) func() interfaces.DataSourceState {
	updates := client.GetDataSourceStatusProvider().AddStatusListener()
	last := interfaces.DataSourceStateValid
	return func() interfaces.DataSourceState {
		for update := range updates {
			if update.State != last {
				last = update.State
				break
			}
		}
		return last
	}
}

func TestRefuseStreams(t *testing.T) {
	box := newBox(t)
	client := newClient(t, box)
	next := states(client)
	box.RefuseStreams(500, launchdarklytest.Times(2))
	box.DropStreams()
	if box.Streams() != 0 {
		t.Error("a dropped stream is counted as connected")
	}
	if got := next(); got != interfaces.DataSourceStateInterrupted {
		t.Errorf("got %v", got)
	}
	box.SetValue("meanwhile", true)
	if err := box.WaitForStreams(testContext(t), 1); err != nil {
		t.Fatal(err)
	}
	await(t, "the change that was made in between", func() bool {
		got, _ := client.BoolVariation("meanwhile", sandy, false)
		return got
	})
	var statuses []int
	for _, request := range box.StreamRequests() {
		statuses = append(statuses, request.Status)
	}
	if len(statuses) != 4 || statuses[1] != 500 || statuses[2] != 500 || statuses[3] != 200 {
		t.Errorf("got %v", statuses)
	}

	box.RefuseStreams(503)
	byHand := newHTTPClient(t)
	if _, response := poll(t, byHand, box, ""); response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a poll got %d", response.StatusCode)
	}
	box.AcceptStreams()
	if _, response := poll(t, byHand, box, ""); response.StatusCode != http.StatusOK {
		t.Errorf("a poll got %d", response.StatusCode)
	}
}

func TestHoldStreams(t *testing.T) {
	for name, configure := range map[string]func(*launchdarklytest.Server) func(*ld.Config){
		"first protocol":  func(*launchdarklytest.Server) func(*ld.Config) { return func(*ld.Config) {} },
		"second protocol": streamingV2,
	} {
		t.Run(name, func(t *testing.T) {
			box := newBox(t)
			box.HoldStreams()
			config := box.Config()
			configure(box)(&config)
			client, err := ld.MakeCustomClient(box.SDKKey(), config, 0) // does not wait
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = client.Close() })
			if err := box.WaitForStreams(testContext(t), 1); err != nil {
				t.Fatal(err)
			}
			box.SetValue("flag", "a")
			if client.Initialized() {
				t.Error("the client is initialized while its stream is held")
			}
			box.ReleaseStreams()
			evaluatesTo(t, client, "flag", "a")
			box.ReleaseStreams() // nothing to release
			box.SetValue("flag", "b")
			evaluatesTo(t, client, "flag", "b")
		})
	}
}

func TestRefuseSDKKey(t *testing.T) {
	box := newBox(t)
	byHand := newHTTPClient(t)
	client := newClient(t, box)
	next := states(client)
	box.RefuseSDKKey()
	if box.Streams() != 1 {
		t.Error("the stream was cut")
	}
	if got := (post{body: oneEvent}).status(t, byHand, box); got != http.StatusUnauthorized {
		t.Errorf("events got %d", got)
	}
	if _, response := poll(t, byHand, box, ""); response.StatusCode != http.StatusUnauthorized {
		t.Errorf("a poll got %d", response.StatusCode)
	}
	box.DropStreams()
	if got := next(); got != interfaces.DataSourceStateInterrupted {
		t.Errorf("got %v", got)
	}
	if _, err := box.WaitForRequests(testContext(t), 1, func(r launchdarklytest.Request) bool {
		return r.Path == launchdarklytest.StreamPath && r.Status == http.StatusUnauthorized
	}); err != nil {
		t.Error(err)
	}
	box.AcceptSDKKey()
	if got := (post{body: oneEvent}).status(t, byHand, box); got != http.StatusAccepted {
		t.Errorf("events got %d", got)
	}
}

func TestRecordsRequestsOfDisconnectingClients(t *testing.T) {
	box := newBox(t)
	ctx, hangUp := context.WithCancel(testContext(t))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, box.URL()+launchdarklytest.EventsPath,
		hangingUp{hangUp, ctx})
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", box.SDKKey())
	if response, err := newHTTPClient(t).Do(request); err == nil {
		_ = response.Body.Close()
		t.Error("got a response")
	}
	requests, err := box.WaitForRequests(testContext(t), 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := requests[0]; got.Status != 0 || got.Accepted || got.Problem == "" {
		t.Errorf("got %+v", got)
	}
}

// hangingUp is a request body that cancels its request after the first byte.
type hangingUp struct {
	hangUp context.CancelFunc
	ctx    context.Context
}

func (h hangingUp) Read(p []byte) (int, error) {
	if h.ctx.Err() != nil {
		return 0, h.ctx.Err()
	}
	h.hangUp()
	return copy(p, "["), nil
}
