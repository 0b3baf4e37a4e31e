package launchdarklytest_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"

	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// streamingV2 makes a client stream by the second protocol, and come back soon.
func streamingV2(box *launchdarklytest.Server) func(*ld.Config) {
	return func(c *ld.Config) {
		c.DataSystem = box.DataSystem().Custom().Synchronizers(
			ldcomponents.StreamingDataSourceV2().BaseURI(box.URL()).InitialReconnectDelay(time.Millisecond))
	}
}

// evaluatesTo waits until the client has a value for a flag; "none" stands for a flag that it does not know.
func evaluatesTo(t *testing.T, client *ld.LDClient, flag, want string) {
	t.Helper()
	await(t, flag+" to be "+want, func() bool {
		got, _ := client.StringVariation(flag, sandy, "none")
		return got == want
	})
}

func TestBothProtocolsHaveTheSameFlags(t *testing.T) {
	box := newBox(t)
	box.SetValue("flag", "a")
	box.SetValue("gone", "a")
	box.DeleteFlags("gone")
	first := newClient(t, box)
	second := newClient(t, box, streamingV2(box))
	third := newClient(t, box, func(c *ld.Config) { c.DataSystem = box.DataSystem().Default() })
	clients := []*ld.LDClient{first, second, third}
	for _, client := range clients {
		evaluatesTo(t, client, "flag", "a")
		evaluatesTo(t, client, "gone", "none")
	}

	box.SetFlags(
		ldbuilders.NewFlagBuilder("flag").On(true).Variations(ldvalue.String("b")).FallthroughVariation(0).Build(),
		ldbuilders.NewFlagBuilder("by-segment").On(true).Variations(ldvalue.String("no"), ldvalue.String("yes")).
			FallthroughVariation(0).AddRule(ldbuilders.NewRuleBuilder().Variation(1).Clauses(
			ldbuilders.SegmentMatchClause("friends"))).Build())
	for _, client := range clients {
		evaluatesTo(t, client, "flag", "b")
		evaluatesTo(t, client, "by-segment", "no")
	}
	box.SetSegments(ldbuilders.NewSegmentBuilder("friends").Included("sandy").Build())
	for _, client := range clients {
		evaluatesTo(t, client, "by-segment", "yes")
	}
	box.DeleteFlags("flag", "unknown")
	box.DeleteSegments("friends")
	for _, client := range clients {
		evaluatesTo(t, client, "flag", "none")
		evaluatesTo(t, client, "by-segment", "no")
	}

	var paths []string
	for _, request := range box.StreamRequests() {
		paths = append(paths, request.Path)
	}
	want := []string{launchdarklytest.StreamPath, launchdarklytest.StreamPathV2, launchdarklytest.PollPathV2,
		launchdarklytest.StreamPathV2}
	if !slices.Equal(paths, want) {
		t.Errorf("got %q, want %q", paths, want)
	}
}

func TestDropStreamsOfTheSecondProtocol(t *testing.T) {
	box := newBox(t)
	box.SetValue("flag", "a")
	box.SetValue("gone", "a")
	client := newClient(t, box, streamingV2(box))
	// Once with nothing new, once with something, and once more with what follows on a stream that began with nothing new.
	for _, value := range []string{"a", "b", "b"} {
		box.RefuseStreams(http.StatusServiceUnavailable)
		box.DropStreams()
		await(t, "the interruption", func() bool {
			return client.GetDataSourceStatusProvider().GetStatus().State == interfaces.DataSourceStateInterrupted
		})
		if value == "b" {
			box.SetValue("flag", value)
			box.DeleteFlags("gone")
		}
		box.AcceptStreams()
		if !client.GetDataSourceStatusProvider().WaitFor(interfaces.DataSourceStateValid, deadline) {
			t.Fatal("the client does not come back")
		}
		evaluatesTo(t, client, "flag", value)
	}
	evaluatesTo(t, client, "gone", "none")
	box.SetValue("flag", "c")
	evaluatesTo(t, client, "flag", "c")
}

func TestHoldStreamsOfTheSecondProtocol(t *testing.T) {
	box := newBox(t)
	box.HoldStreams()
	config := box.Config()
	streamingV2(box)(&config)
	client, err := ld.MakeCustomClient(box.SDKKey(), config, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	if err := box.WaitForStreams(waiting(t), 1); err != nil {
		t.Fatal(err)
	}
	box.SetValue("flag", "a")
	if client.Initialized() {
		t.Error("the client has data")
	}
	box.ReleaseStreams()
	evaluatesTo(t, client, "flag", "a")
}

func TestRefuseSDKKeyOfTheSecondProtocol(t *testing.T) {
	box := newBox(t)
	box.RefuseSDKKey()
	config := box.Config()
	config.DataSystem = box.DataSystem().Default()
	client, err := ld.MakeCustomClient(box.SDKKey(), config, time.Second) // all of it where the SDK does not give up
	if err == nil {
		t.Error("no error")
	}
	t.Cleanup(func() { _ = client.Close() })
	if len(box.StreamRequests()) == 0 {
		t.Error("no requests")
	}
	for _, request := range box.StreamRequests() {
		if request.Status != http.StatusUnauthorized {
			t.Errorf("got %d for %s", request.Status, request.Path)
		}
	}
}

func TestPollsOfTheSecondProtocol(t *testing.T) {
	box, other := newBox(t), newBox(t)
	httpClient := newHTTPClient(t)
	// poll gives what a poll answers, in short, and the state that it leads to.
	poll := func(box *launchdarklytest.Server, basis string) (answer, state string) {
		t.Helper()
		query := url.Values{"basis": {basis}}.Encode()
		request, err := http.NewRequestWithContext(waiting(t), http.MethodGet,
			box.URL()+launchdarklytest.PollPathV2+"?"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", box.SDKKey())
		response, err := httpClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Fatalf("got %d", response.StatusCode)
		}
		var payload subsystems.PollingPayload
		if err := json.NewDecoder(response.Body).Decode(&payload); err != nil {
			t.Fatal(err)
		}
		var words []string
		for _, event := range payload.Events {
			data := ldvalue.Parse(event.Data)
			switch event.Name {
			case subsystems.EventServerIntent:
				words = append(words, data.GetByKey("payloads").GetByIndex(0).GetByKey("intentCode").StringValue())
			case subsystems.EventPutObject, subsystems.EventDeleteObject:
				words = append(words, string(event.Name)+" "+data.GetByKey("kind").StringValue()+" "+data.GetByKey("key").StringValue())
			case subsystems.EventPayloadTransferred:
				state = data.GetByKey("state").StringValue()
			default:
				t.Errorf("unexpected event %s", event.Name)
			}
		}
		slices.Sort(words[1:])
		return strings.Join(words, ", "), state
	}
	expect := func(box *launchdarklytest.Server, basis, want string) string {
		t.Helper()
		got, state := poll(box, basis)
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		return state
	}

	empty := expect(box, "", "xfer-full")
	box.SetValue("a", 1)
	box.SetValue("b", 1)
	box.SetSegments(ldbuilders.NewSegmentBuilder("s").Build())
	three := expect(box, "", "xfer-full, put-object flag a, put-object flag b, put-object segment s")
	expect(box, empty, "xfer-changes, put-object flag a, put-object flag b, put-object segment s")
	expect(box, three, "none")
	box.SetValue("b", 2)
	box.DeleteFlags("a")
	five := expect(box, three, "xfer-changes, delete-object flag a, put-object flag b")
	expect(box, "", "xfer-full, put-object flag b, put-object segment s")
	expect(box, five, "none")
	for range 5 {
		other.SetValue("a", 1)
	}
	for _, foreign := range []string{five, "nonsense", five + "0"} {
		expect(other, foreign, "xfer-full, put-object flag a")
	}

	box.RefuseStreams(http.StatusTooManyRequests, launchdarklytest.Times(1), launchdarklytest.RetryAfter(time.Second))
	request, err := http.NewRequestWithContext(waiting(t), http.MethodGet, box.URL()+launchdarklytest.PollPathV2, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusOK} {
		response, err := httpClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("got %d, want %d", response.StatusCode, want)
		}
		request.Header.Set("Authorization", box.SDKKey())
	}
}
