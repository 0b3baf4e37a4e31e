package ldmatchers_test

import (
	"fmt"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/onsi/gomega"

	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest/ldmatchers"
)

func ExampleHaveReceived() {
	// In a test this is NewWithT(t), or nothing at all with Ginkgo.
	g := gomega.NewGomega(func(message string, _ ...int) { fmt.Println(message) })

	server := launchdarklytest.NewServer()
	defer server.Close()
	client, err := ld.MakeCustomClient(server.SDKKey(), server.Config(), 10*time.Second)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer func() { _ = client.Close() }()

	data := ldvalue.ObjectBuild().SetString("currency", "EUR").Build()
	_ = client.TrackMetric("checkout", ldcontext.New("sandy"), 99.9, data)
	client.Flush()

	delivered := g.Eventually(server, "10s").Should(ldmatchers.HaveReceived(
		ldmatchers.CustomEvent("checkout").
			WithMetric(99.9).
			WithData(map[string]any{"currency": "EUR"}).
			ForContext("user", "sandy")))
	fmt.Println("delivered:", delivered)
	// Output: delivered: true
}

// connect returns a client of the SDK, as the example of HaveReceived makes one.
func connect(server *launchdarklytest.Server) (client *ld.LDClient, closeClient func()) {
	client, err := ld.MakeCustomClient(server.SDKKey(), server.Config(), 10*time.Second)
	if err != nil {
		fmt.Println(err)
	}
	return client, func() { _ = client.Close() }
}

func ExampleEventMatcher() {
	event := launchdarklytest.Event{
		Kind: launchdarklytest.KindCustom,
		Key:  "checkout",
		Raw:  []byte(`{"kind":"custom","key":"checkout"}`),
	}
	wanted := ldmatchers.CustomEvent("checkout").WithMetric(99.9).WithoutData()
	if ok, err := wanted.Match(event); err == nil && !ok {
		fmt.Println(wanted.FailureMessage(event))
	}
	// Output:
	// Expected event
	//     {"kind":"custom","key":"checkout"}
	// to be
	//     custom event "checkout" with metric 99.9 with no data
	// but it has no metric
}

// The context is compared as a whole. It has no address, because that attribute is private.
func ExampleEventMatcher_WithContext() {
	g := gomega.NewGomega(func(message string, _ ...int) { fmt.Println(message) })
	server := launchdarklytest.NewServer()
	defer server.Close()
	client, closeClient := connect(server)
	defer closeClient()

	sandy := ldcontext.NewBuilder("sandy").SetString("email", "sandy@example.com").Private("email").Build()
	_ = client.TrackEvent("signup", sandy)
	client.Flush()
	fmt.Println(g.Eventually(server, "10s").Should(ldmatchers.HaveReceived(
		ldmatchers.CustomEvent("signup").WithContext(map[string]any{
			"kind": "user", "key": "sandy",
			"_meta": map[string]any{"redactedAttributes": []string{"email"}},
		}))))
	// Output: true
}

// The event must have one data member, among any others, and no metric value.
func ExampleEventMatcher_WithDataMember() {
	g := gomega.NewGomega(func(message string, _ ...int) { fmt.Println(message) })
	server := launchdarklytest.NewServer()
	defer server.Close()
	client, closeClient := connect(server)
	defer closeClient()

	data := ldvalue.ObjectBuild().SetString("from", "silver").SetString("to", "gold").SetInt("seats", 12).Build()
	_ = client.TrackData("plan-changed", ldcontext.New("sandy"), data)
	client.Flush()
	fmt.Println(g.Eventually(server, "10s").Should(ldmatchers.HaveReceived(
		ldmatchers.CustomEvent("plan-changed").
			WithDataMember("to", "gold").
			WithDataMember("seats", gomega.BeNumerically(">", 10)).
			WithoutMetric())))
	// Output: true
}

func ExampleHaveReceivedNothing() {
	g := gomega.NewGomega(func(message string, _ ...int) { fmt.Println(message) })
	server := launchdarklytest.NewServer()
	defer server.Close()

	fmt.Println(g.Expect(server).To(ldmatchers.HaveReceivedNothing()))
	// Output: true
}

func ExampleHaveAnswered() {
	g := gomega.NewGomega(func(message string, _ ...int) { fmt.Println(message) })
	server := launchdarklytest.NewServer()
	defer server.Close()
	client, closeClient := connect(server)
	defer closeClient()

	server.RefuseEvents(503, launchdarklytest.Times(1))
	_ = client.TrackEvent("checkout", ldcontext.New("sandy"))
	client.Flush()
	fmt.Println(g.Eventually(server, "10s").Should(ldmatchers.HaveAnswered(503)))
	fmt.Println(g.Eventually(server, "10s").Should(ldmatchers.HaveReceived(ldmatchers.CustomEvent("checkout")).Times(1)))
	// Output:
	// true
	// true
}

// A flag with event tracking produces an event for each evaluation, with its result.
func ExampleFeatureEvent() {
	g := gomega.NewGomega(func(message string, _ ...int) { fmt.Println(message) })
	server := launchdarklytest.NewServer()
	defer server.Close()
	server.SetFlags(ldbuilders.NewFlagBuilder("theme").On(true).TrackEvents(true).
		Variations(ldvalue.String("teal")).FallthroughVariation(0).Build())
	client, closeClient := connect(server)
	defer closeClient()

	sandy := ldcontext.New("sandy")
	_, _ = client.StringVariation("theme", sandy, "")
	_ = client.Identify(sandy)
	client.Flush()
	fmt.Println(g.Eventually(server, "10s").Should(ldmatchers.HaveReceived(
		ldmatchers.FeatureEvent("theme").WithValue("teal").ForContext("user", "sandy"))))
	fmt.Println(g.Eventually(server, "10s").Should(ldmatchers.HaveReceived(
		ldmatchers.EventOfKind(launchdarklytest.KindIdentify).ForContext("user", "sandy"))))
	// Output:
	// true
	// true
}
