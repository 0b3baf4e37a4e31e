package bench

import (
	"fmt"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/internal/baseline"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// BenchmarkTrack compares tracking up to the event processor, without delivery.
func BenchmarkTrack(b *testing.B) {
	bare, ours := newTrackers(b)
	client := register(b, ours)
	ctx := b.Context()
	user := withAttributes(5)
	given := details()
	plain := openfeature.NewEvaluationContext("user-key", nil)

	for _, test := range []struct {
		name               string
		bare, ours, client func()
	}{
		{"nothing",
			func() { _ = bare.TrackEventCtx(ctx, "event", user.build()) },
			func() { ours.Track(ctx, "event", user.evaluation, openfeature.TrackingEventDetails{}) },
			func() { client.Track(ctx, "event", user.evaluation, openfeature.TrackingEventDetails{}) }},
		{"metric",
			func() { _ = bare.TrackMetricCtx(ctx, "event", user.build(), 1.5, ldvalue.Null()) },
			func() { ours.Track(ctx, "event", user.evaluation, openfeature.NewTrackingEventDetails(1.5)) },
			func() { client.Track(ctx, "event", user.evaluation, openfeature.NewTrackingEventDetails(1.5)) }},
		{"metric-and-5-attributes",
			func() { _ = bare.TrackMetricCtx(ctx, "event", user.build(), 1.5, dataByHand()) },
			func() { ours.Track(ctx, "event", user.evaluation, given) },
			func() { client.Track(ctx, "event", user.evaluation, given) }},
		{"metric-and-5-attributes-of-nobody",
			func() { _ = bare.TrackMetricCtx(ctx, "event", withoutAttributes(), 1.5, dataByHand()) },
			func() { ours.Track(ctx, "event", plain, given) },
			func() { client.Track(ctx, "event", plain, given) }},
	} {
		for _, subject := range []struct {
			name  string
			track func()
		}{{"bare", test.bare}, {"ours", test.ours}, {"ours-client", test.client}} {
			b.Run(test.name+"/by="+subject.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					subject.track()
				}
			})
		}
	}
}

// BenchmarkTrackForOthers tracks for a different user each time. [BenchmarkTrack] tracks for the
// same user.
func BenchmarkTrackForOthers(b *testing.B) {
	bare, ours := newTrackers(b)
	client := register(b, ours)
	ctx := b.Context()
	given := details()
	users := make([]contextCase, crowd)
	for i := range users {
		users[i] = userWithAttributes(fmt.Sprintf("user-%02d", i), 5)
	}
	for _, subject := range []struct {
		name  string
		track func(c *contextCase)
	}{
		{"bare", func(c *contextCase) { _ = bare.TrackMetricCtx(ctx, "event", c.build(), 1.5, dataByHand()) }},
		{"ours", func(c *contextCase) { ours.Track(ctx, "event", c.evaluation, given) }},
		{"ours-client", func(c *contextCase) { client.Track(ctx, "event", c.evaluation, given) }},
	} {
		b.Run("metric-and-5-attributes/by="+subject.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				subject.track(&users[i%crowd])
			}
		})
	}
}

// newTrackers returns the SDK client and the provider, both with an event processor that discards
// events.
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

// BenchmarkDelivery compares tracking and delivery to the events service. It flushes before the
// SDK's buffer is full, so that neither side drops events.
func BenchmarkDelivery(b *testing.B) {
	const batch = 2_000
	user, given := withAttributes(5), details()
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
