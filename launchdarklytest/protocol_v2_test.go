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

// streamingV2 configures a client for streams of the second protocol with a short reconnect delay.
func streamingV2(box *launchdarklytest.Server) func(*ld.Config) {
	return func(c *ld.Config) {
		c.DataSystem = box.DataSystem().Custom().Synchronizers(
			ldcomponents.StreamingDataSourceV2().BaseURI(box.URL()).InitialReconnectDelay(time.Millisecond))
	}
}

// evaluatesTo waits until the flag has the value, or "none" if the client does not have the flag.
func evaluatesTo(t *testing.T, client *ld.LDClient, flag, want string) {
	t.Helper()
	await(t, flag+" to be "+want, func() bool {
		got, _ := client.StringVariation(flag, sandy, "none")
		return got == want
	})
}

func TestBothProtocolsServeTheSameFlags(t *testing.T) {
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
	if err := box.SetSegmentsJSON(`{"key": "friends", "included": ["sandy"]}`); err != nil {
		t.Fatal(err)
	}
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

func TestV2DropStreams(t *testing.T) {
	box := newBox(t)
	box.SetValue("flag", "a")
	box.SetValue("gone", "a")
	client := newClient(t, box, streamingV2(box))
	// Reconnect without changes, with changes, and without changes before a later one.
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
			t.Fatal("the client does not reconnect")
		}
		evaluatesTo(t, client, "flag", value)
	}
	evaluatesTo(t, client, "gone", "none")
	box.SetValue("flag", "c")
	evaluatesTo(t, client, "flag", "c")
}

func TestV2PollsReturnChangesSinceTheBasis(t *testing.T) {
	box, other := newBox(t), newBox(t)
	httpClient := newHTTPClient(t)
	// poll returns a summary of a poll's response, and the state of its selector.
	poll := func(box *launchdarklytest.Server, basis string) (answer, state string) {
		t.Helper()
		query := url.Values{"basis": {basis}}.Encode()
		request, err := http.NewRequestWithContext(testContext(t), http.MethodGet,
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
	request, err := http.NewRequestWithContext(testContext(t), http.MethodGet, box.URL()+launchdarklytest.PollPathV2, nil)
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
