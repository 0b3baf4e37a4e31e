package delivery_test

import (
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"

	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

func TestSettingsOfTheBuilderApply(t *testing.T) {
	kim := ldcontext.NewBuilder("kim").Anonymous(true).SetString("email", "k@example.com").SetString("plan", "gold").Build()
	for _, c := range []struct {
		name        string
		events      *ldcomponents.EventProcessorBuilder
		index       int // index events
		identify    int // identify events
		email, plan int // events with the attribute of the context
		gzip        bool
	}{
		{"default", rarely(), 1, 1, 2, 2, false},
		{"private attributes", rarely().PrivateAttributes("email"), 1, 1, 0, 2, false},
		{"all attributes private", rarely().AllAttributesPrivate(true), 1, 1, 0, 0, false},
		{"gzip", rarely().EnableGzip(true), 1, 1, 2, 2, true},
		{"anonymous contexts omitted", rarely().OmitAnonymousContexts(true), 0, 0, 0, 0, false},
		{"no context keys remembered", rarely().ContextKeysCapacity(0), 3, 1, 4, 4, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := start(t, c.events)
			_ = f.client.TrackEvent("purchase", kim)
			_ = f.client.TrackEvent("purchase", kim)
			_, _ = f.client.BoolVariation("flag", kim, false)
			_ = f.client.Identify(kim)
			f.flush()
			with := make(map[string]int)
			for _, e := range f.box.Events() {
				for _, name := range []string{"email", "plan"} {
					if e.Context.GetByKey(name).IsDefined() {
						with[name]++
					}
				}
			}
			if f.box.EventCount(launchdarklytest.KindCustom) != 2 || f.box.EventCount(launchdarklytest.KindIndex) != c.index ||
				f.box.EventCount(launchdarklytest.KindIdentify) != c.identify || with["email"] != c.email || with["plan"] != c.plan {
				t.Errorf("%s", f.box)
			}
			for _, r := range f.box.Requests() {
				if r.Schema() == "" || r.UserAgent() == "" || r.Gzip != c.gzip {
					t.Errorf("headers %v", r.Header)
				}
			}
		})
	}
}

func TestDerivedConfigurations(t *testing.T) {
	builder := ldcomponents.SendEvents().Capacity(7).FlushInterval(time.Minute)
	before := builder.DescribeConfiguration(subsystems.BasicClientContext{})
	original := delivery.Lossless(builder, delivery.WithMaxEvents(3))
	derived := delivery.Lossless(builder, delivery.WithMaxEvents(5)).WithDefaults(delivery.WithMaxEvents(3), delivery.WithMaxWait(0))
	if original.Processor() != nil || derived.Processor() != nil {
		t.Error("a processor without Build")
	}
	for want, config := range map[uint64]*delivery.Configuration{3: original.WithDefaults(delivery.WithMaxWait(0)), 5: derived} {
		box := launchdarklytest.NewServer()
		defer box.Close()
		sdk := box.Config()
		sdk.Events = config.WithDefaults(delivery.WithLogger(slog.New(slog.DiscardHandler)))
		client, err := ld.MakeCustomClient(box.SDKKey(), sdk, patience)
		if err != nil {
			t.Fatal(err)
		}
		processor := sdk.Events.(*delivery.Configuration).Processor()
		box.RefuseEvents(503)
		for range 10 {
			_ = client.TrackEvent("purchase", sandy)
		}
		if s := processor.Stats(); s.Waiting != want || s.Dropped.QueueFull != 10-want {
			t.Errorf("want %d, %+v", want, s)
		}
		_ = processor.Shutdown(over())
		_ = client.Close()
	}
	if after := builder.DescribeConfiguration(subsystems.BasicClientContext{}); !before.Equal(after) {
		t.Errorf("the builder was modified: %s", after)
	}
}

func TestLosslessWithNilArguments(t *testing.T) {
	f := start(t, nil, nil)
	f.track(0, 3)
	f.flush()
	f.arrived(3)
}

// goleak checks that a client that fails to start leaves no goroutine.
func TestClientThatFailsToStart(t *testing.T) {
	box := launchdarklytest.NewServer()
	defer box.Close()
	config := box.Config()
	lossless := delivery.Lossless(nil)
	config.Events = lossless
	config.HTTP = ldcomponents.HTTPConfiguration().CACert([]byte("none"))
	if _, err := ld.MakeCustomClient(box.SDKKey(), config, patience); err == nil {
		t.Fatal("no error")
	}
	if lossless.Processor() != nil {
		t.Error("there is a processor")
	}
}

// Only redirects that keep the method are followed. Otherwise, a maintenance page could accept a
// request without its events.
func TestRedirects(t *testing.T) {
	var requests atomic.Int32
	var box *launchdarklytest.Server
	redirect := hop(t, func(w http.ResponseWriter, r *http.Request, _ string) bool {
		switch {
		case r.Method != http.MethodPost:
			t.Errorf("%s %s", r.Method, r.URL)
		case requests.Add(1) <= 3:
			http.Redirect(w, r, "/maintenance", http.StatusFound)
		default:
			http.Redirect(w, r, box.URL()+r.URL.Path, http.StatusTemporaryRedirect)
		}
		return true
	})
	f := startWith(t, rarely(), func(f *fixture, config *ld.Config) {
		box = f.box
		redirect(f, config)
	}, quick())
	f.track(0, 10)
	f.flush()
	f.arrived(10)
	if s := f.check(); s.Retries != 3 {
		t.Errorf("%+v", s)
	}
}

func TestRequestWithoutResponseTimesOutAndIsRetried(t *testing.T) {
	f := startWith(t, rarely(), func(_ *fixture, config *ld.Config) {
		config.HTTP = ldcomponents.HTTPConfiguration().ConnectTimeout(20 * time.Millisecond)
	}, quick(), delivery.WithRequestTimeout(20*time.Millisecond))
	f.box.DelayEvents(time.Hour)
	f.track(0, 10)
	f.client.Flush()
	f.requests(3)
	f.box.DelayEvents(0)
	f.flush()
	f.arrived(10)
}

// A response whose body does not end is accepted by its status.
func TestResponseWithoutEnd(t *testing.T) {
	t.Parallel() // mostly waiting
	var requests atomic.Int32
	f := startWith(t, rarely(), hop(t, func(w http.ResponseWriter, r *http.Request, _ string) bool {
		requests.Add(1)
		w.WriteHeader(http.StatusAccepted)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		return true
	}), delivery.WithRequestTimeout(2*patience))
	f.track(0, 10)
	f.flush()
	if s := f.check(); s.Delivered != 10 || requests.Load() != 1 {
		t.Errorf("%d requests, %+v", requests.Load(), s)
	}
}

func TestHTTPConfigurationApplies(t *testing.T) {
	for _, own := range []bool{false, true} {
		http11 := &http.Transport{}
		t.Cleanup(http11.CloseIdleConnections)
		f := startWith(t, rarely(), func(_ *fixture, config *ld.Config) {
			builder := ldcomponents.HTTPConfiguration().Header("X-Tenant", "acme").Wrapper("wrap", "1.0")
			if own {
				builder.HTTPClientFactory(func() *http.Client { return &http.Client{Transport: http11} })
			}
			config.HTTP = builder
		})
		f.track(0, 1)
		_, _ = f.client.BoolVariation("flag", sandy, false)
		f.flush()
		requests := f.requests(1)
		for _, r := range requests {
			if r.Header.Get("X-Tenant") != "acme" || r.Wrapper() != "wrap/1.0" {
				t.Errorf("headers %v", r.Header)
			}
		}
	}
}

func TestSmallCapacityOfTheBuilderHasNoEffect(t *testing.T) {
	f := start(t, rarely().Capacity(3))
	for i := range 50 {
		_ = f.client.TrackMetric("purchase", sandy, float64(i), ldvalue.Null())
	}
	f.flush()
	f.arrived(50)
}
