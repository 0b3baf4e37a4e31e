package launchdarklytest_test

import (
	"context"
	"fmt"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	ld "github.com/launchdarkly/go-server-sdk/v7"

	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

func ExampleNewServer() {
	box := launchdarklytest.NewServer()
	defer box.Close()
	box.SetValue("new-checkout", ldvalue.Bool(true))

	client, err := ld.MakeCustomClient(box.SDKKey(), box.Config(), 10*time.Second)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = client.Close() }()

	sandy := ldcontext.New("sandy")
	enabled, _ := client.BoolVariation("new-checkout", sandy, false)
	fmt.Println("new-checkout:", enabled)

	_ = client.TrackMetric("checkout", sandy, 99.9, ldvalue.Null())
	client.Flush()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	events, err := box.WaitForEvents(ctx, 1, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(events[0].Key, *events[0].MetricValue, events[0].ContextKeys())
	// Output:
	// new-checkout: true
	// checkout 99.9 map[user:sandy]
}

func ExampleServer_SetFlags() {
	box := launchdarklytest.NewServer()
	defer box.Close()
	box.SetFlags(ldbuilders.NewFlagBuilder("greeting").
		On(true).
		Variations(ldvalue.String("Hello"), ldvalue.String("Moin")).
		FallthroughVariation(0).
		AddTarget(1, "sandy").
		Build())

	client, err := ld.MakeCustomClient(box.SDKKey(), box.Config(), 10*time.Second)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = client.Close() }()

	for _, key := range []string{"sandy", "alex"} {
		greeting, detail, _ := client.StringVariationDetail("greeting", ldcontext.New(key), "")
		fmt.Println(greeting, detail.Reason)
	}
	// Output:
	// Moin TARGET_MATCH
	// Hello FALLTHROUGH
}

func ExampleServer_RefuseEvents() {
	box := launchdarklytest.NewServer()
	defer box.Close()
	client, err := ld.MakeCustomClient(box.SDKKey(), box.Config(), 10*time.Second)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = client.Close() }()

	box.RefuseEvents(503, launchdarklytest.Times(1))
	_ = client.TrackEvent("checkout", ldcontext.New("sandy"))
	client.Flush()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	requests, err := box.WaitForRequests(ctx, 2, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, request := range requests {
		fmt.Println(request.Status, request.Accepted)
	}
	// Output:
	// 503 false
	// 202 true
}
