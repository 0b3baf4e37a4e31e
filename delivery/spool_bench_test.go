package delivery_test

import (
	"context"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"

	"github.com/openfeature-launchdarkly/go-provider/delivery"
)

// Recording an event with a spool, next to recording it without.
func BenchmarkSpoolRecord(b *testing.B) {
	for _, name := range []string{"memory", "spool"} {
		b.Run(name, func(b *testing.B) {
			opts := []delivery.Option{
				delivery.WithMaxEvents(math.MaxInt), delivery.WithMaxBytes(math.MaxInt),
				delivery.WithSpoolMaxBytes(math.MaxInt), delivery.WithLogger(slog.New(slog.DiscardHandler)),
			}
			if name == "spool" {
				opts = append(opts, delivery.WithSpool(b.TempDir()))
			}
			record(b, delivery.Lossless(ldcomponents.SendEvents().FlushInterval(100*time.Millisecond), opts...))
		})
	}
}

// From the call to the events service: the application waits for room where it has to. The metric
// events/s counts those that arrived.
func BenchmarkSpoolDelivery(b *testing.B) {
	for _, name := range []string{"memory", "spool"} {
		b.Run(name, func(b *testing.B) {
			opts := []delivery.Option{
				delivery.WithLogger(slog.New(slog.DiscardHandler)), delivery.WithMaxWait(time.Minute),
			}
			if name == "spool" {
				opts = append(opts, delivery.WithSpool(b.TempDir()))
			}
			record(b, delivery.Lossless(nil, opts...))
		})
	}
}

// A process that starts with 100,000 events in its directory, until all of them have arrived.
func BenchmarkSpoolRecovery(b *testing.B) {
	const events = 100_000
	for b.Loop() {
		b.StopTimer()
		directory := b.TempDir()
		spool := func(s *sink, opts ...delivery.Option) *delivery.Processor {
			config := delivery.Lossless(ldcomponents.SendEvents().FlushInterval(10*time.Millisecond),
				append(opts, delivery.WithSpool(directory), delivery.WithLogger(slog.New(slog.DiscardHandler)))...)
			if _, err := config.Build(s.clientContext()); err != nil {
				b.Fatal(err)
			}
			return config.Processor()
		}
		var down sink
		down.fail.Store(true)
		first := spool(&down)
		event := purchase()
		for range events {
			first.RecordCustomEvent(event)
		}
		for first.Stats().Tracked < events {
			time.Sleep(time.Millisecond)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = first.Shutdown(ctx)
		if n := first.Stats().OnDisk; n != events {
			b.Fatalf("%d events are on disk", n)
		}
		var s sink
		b.StartTimer()
		second := spool(&s)
		for s.events.Load() < events {
			time.Sleep(time.Millisecond)
		}
		b.StopTimer()
		_ = second.Close()
		b.StartTimer()
	}
}
