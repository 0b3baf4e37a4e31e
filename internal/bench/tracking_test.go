package bench

import (
	"fmt"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/internal/baseline"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// BenchmarkTrack tracks up to LaunchDarkly's event processor, without delivery: for one user again
// and again, and for another user each time.
func BenchmarkTrack(b *testing.B) {
	bare, ours := newTrackers(b)
	client := register(b, ours)
	ctx := b.Context()
	given, number := details(), openfeature.NewTrackingEventDetails(1.5)
	var nothing openfeature.TrackingEventDetails
	nobody := []contextCase{withAttributes("user-key", 0)}
	users := make([]contextCase, crowd)
	for i := range users {
		users[i] = withAttributes(fmt.Sprintf("user-%02d", i), 5)
	}

	for _, test := range []struct {
		name    string
		users   []contextCase
		details openfeature.TrackingEventDetails
		bare    func(who ldcontext.Context)
	}{
		{"users=one/nothing", users[:1], nothing, func(who ldcontext.Context) { _ = bare.TrackEventCtx(ctx, "event", who) }},
		{"users=one/metric", users[:1], number,
			func(who ldcontext.Context) { _ = bare.TrackMetricCtx(ctx, "event", who, 1.5, ldvalue.Null()) }},
		{"users=one/metric-and-5-attributes", users[:1], given,
			func(who ldcontext.Context) { _ = bare.TrackMetricCtx(ctx, "event", who, 1.5, dataByHand()) }},
		{"users=others/metric-and-5-attributes", users, given,
			func(who ldcontext.Context) { _ = bare.TrackMetricCtx(ctx, "event", who, 1.5, dataByHand()) }},
		{"users=nobody/metric-and-5-attributes", nobody, given,
			func(who ldcontext.Context) { _ = bare.TrackMetricCtx(ctx, "event", who, 1.5, dataByHand()) }},
	} {
		for _, subject := range []struct {
			name  string
			track func(c *contextCase)
		}{
			{"bare", func(c *contextCase) { test.bare(c.build()) }},
			{"floor", func(c *contextCase) { // of a provider that converts what it reads at no cost
				read(c.evaluation.Attributes())
				read(test.details.Attributes())
				test.bare(c.build())
			}},
			{"ours", func(c *contextCase) { ours.Track(ctx, "event", c.evaluation, test.details) }},
			{"ours-client", func(c *contextCase) { client.Track(ctx, "event", c.evaluation, test.details) }},
		} {
			b.Run(test.name+"/by="+subject.name, func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					subject.track(&test.users[i%len(test.users)])
				}
			})
		}
	}
}

// read reads a map as every provider must: OpenFeature's accessors return copies, and have no other
// way to list the names.
func read(attributes map[string]any) {
	for name, v := range attributes {
		_, _ = name, v
	}
}

// newTrackers makes the bare client and the provider; both end in an event processor that forgets.
func newTrackers(b *testing.B) (*ld.LDClient, *launchdarkly.Provider) {
	b.Helper()
	config := ld.Config{
		DataSource: ldcomponents.ExternalUpdatesOnly(),
		Events:     baseline.NopEventProcessor{},
		Logging:    ldcomponents.NoLogging(),
	}
	bare, err := ld.MakeCustomClient("key", config, time.Second)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = bare.Close() })
	ours, err := launchdarkly.NewProvider("key", launchdarkly.WithConfig(config))
	if err != nil {
		b.Fatal(err)
	}
	return bare, ours
}

// BenchmarkDelivery compares all the way to the events service, flushed after as many events as the
// SDK can hold, so that neither side drops any.
func BenchmarkDelivery(b *testing.B) {
	const batch = 2_000
	user, given := withAttributes("user-key", 5), details()
	run := func(b *testing.B, track func(), flush func() bool, box *launchdarklytest.Server) {
		b.ReportAllocs()
		n := 0
		for b.Loop() {
			track()
			if n++; n%batch == 0 && !flush() {
				b.Fatal("not flushed")
			}
		}
		if n%batch != 0 && !flush() {
			b.Fatal("not flushed")
		}
		b.StopTimer()
		if arrived := box.EventCount(launchdarklytest.KindCustom); arrived != n {
			b.Fatalf("%d of %d events arrived", arrived, n)
		}
	}
	b.Run("by=bare", func(b *testing.B) {
		box := launchdarklytest.NewServer()
		defer box.Close()
		bare, err := ld.MakeCustomClient(box.SDKKey(), box.Config(), 5*time.Second)
		if err != nil {
			b.Fatal(err)
		}
		defer bare.Close()
		run(b,
			func() { _ = bare.TrackMetricCtx(b.Context(), "event", user.build(), 1.5, dataByHand()) },
			func() bool { return bare.FlushAndWait(10 * time.Second) }, box)
	})
	b.Run("by=ours", func(b *testing.B) {
		box := launchdarklytest.NewServer()
		defer box.Close()
		ours, err := launchdarkly.NewProvider(box.SDKKey(), launchdarkly.WithConfig(box.Config()))
		if err != nil {
			b.Fatal(err)
		}
		defer ours.Shutdown()
		run(b,
			func() { ours.Track(b.Context(), "event", user.evaluation, given) },
			func() bool { return ours.Flush(b.Context()) == nil }, box)
	})
}

func details() openfeature.TrackingEventDetails {
	return openfeature.NewTrackingEventDetails(1.5).
		Add("currency", "EUR").Add("items", 3).Add("gift", true).Add("shipping", 4.9).Add("coupon", "none")
}

func dataByHand() ldvalue.Value {
	return ldvalue.ObjectBuildWithCapacity(5).
		SetString("currency", "EUR").SetInt("items", 3).SetBool("gift", true).SetFloat64("shipping", 4.9).
		SetString("coupon", "none").Build()
}
