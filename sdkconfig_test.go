package launchdarkly

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldlog"
	ldevents "github.com/launchdarkly/go-sdk-events/v3"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"

	"github.com/openfeature-launchdarkly/go-provider/delivery"
)

func TestSDKConfigHTTP(t *testing.T) {
	theirs := ldcomponents.HTTPConfiguration().Header("X-Own", "1").UserAgent("shop/1").Wrapper("theirs", "9")
	for name, config := range map[string]ld.Config{"theirs": {HTTP: theirs}, "none": {}} {
		t.Run(name, func(t *testing.T) {
			c := newSDKConfig(newSettings([]Option{WithConfig(config)}), nil)
			defer c.requests.stop()
			http, err := c.HTTP.Build(subsystems.BasicClientContext{SDKKey: "key"})
			if err != nil {
				t.Fatal(err)
			}
			if got := http.DefaultHeaders.Get("X-LaunchDarkly-Wrapper"); got != "open-feature-go-server/"+Version {
				t.Errorf("wrapper %q", got)
			}
			if http.WrapperName != "open-feature-go-server" || http.WrapperVersion != Version {
				t.Errorf("wrapper %s %s", http.WrapperName, http.WrapperVersion)
			}
			if config.HTTP != nil && (http.DefaultHeaders.Get("X-Own") != "1" || !strings.HasSuffix(http.DefaultHeaders.Get("User-Agent"), "shop/1")) {
				t.Errorf("headers %v", http.DefaultHeaders)
			}
		})
	}
	http, err := theirs.Build(subsystems.BasicClientContext{SDKKey: "key"})
	if err != nil || http.WrapperName != "theirs" {
		t.Errorf("the application's builder was changed: %s, %v", http.WrapperName, err)
	}
}

func TestSDKConfigEvents(t *testing.T) {
	lossless := delivery.Lossless(nil)
	for name, test := range map[string]struct {
		events   subsystems.ComponentConfigurer[ldevents.EventProcessor]
		lossless bool
	}{
		"default":           {nil, true},
		"SendEvents":        {ldcomponents.SendEvents(), true},
		"theirs lossless":   {lossless, true},
		"NoEvents":          {ldcomponents.NoEvents(), false},
		"another processor": {anotherProcessor{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := newSDKConfig(newSettings([]Option{WithConfig(ld.Config{Events: test.events})}), nil)
			defer c.requests.stop()
			if (c.delivery != nil) != test.lossless {
				t.Errorf("lossless delivery: %v", c.delivery != nil)
			}
			if !test.lossless && c.Events != test.events {
				t.Errorf("events became %T", c.Events)
			}
		})
	}
}

func TestSDKConfigLogging(t *testing.T) {
	var out bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	lines := func(t *testing.T, opts ...Option) (sdkConfig, string) {
		t.Helper()
		out.Reset()
		c := newSDKConfig(newSettings(opts), nil)
		t.Cleanup(c.requests.stop)
		logging, err := c.Logging.Build(subsystems.BasicClientContext{})
		if err != nil {
			t.Fatal(err)
		}
		for range 1000 {
			logging.Loggers.Warnf("no flags for %d", 7)
			logging.Loggers.Errorf("the store does not answer")
		}
		logging.Loggers.Info("connected")
		logging.Loggers.Debug("a whole event")
		return c, out.String()
	}

	t.Run("goes to the logger", func(t *testing.T) {
		c, got := lines(t, WithLogger(logger))
		for _, want := range []string{`level=WARN msg="no flags for 7"`, `level=ERROR msg="the store does not answer"`, "level=INFO msg=connected"} {
			if strings.Count(got, want) != 1 {
				t.Errorf("%s is not there once:\n%s", want, got)
			}
		}
		if strings.Contains(got, "a whole event") {
			t.Errorf("debug lines hold personal data:\n%s", got)
		}
		c.logs.off.Store(true)
		sdkLogger{logs: c.logs}.Println("after the end")
		if strings.Contains(out.String(), "after the end") {
			t.Error("a client that was closed still logs")
		}
	})
	t.Run("with the application's settings", func(t *testing.T) {
		_, got := lines(t, WithLogger(logger), WithConfig(ld.Config{Logging: ldcomponents.Logging().MinLevel(ldlog.Error)}))
		if strings.Contains(got, "level=WARN") || !strings.Contains(got, "level=ERROR") {
			t.Errorf("not from the minimum level on:\n%s", got)
		}
	})
	t.Run("stays where the application wants it", func(t *testing.T) {
		theirs := ldcomponents.NoLogging()
		c := newSDKConfig(newSettings([]Option{WithConfig(ld.Config{Logging: theirs})}), nil)
		defer c.requests.stop()
		if c.Logging != theirs {
			t.Errorf("logging became %T", c.Logging)
		}
	})
}

// anotherProcessor is an event processor of the application's.
type anotherProcessor struct{}

func (anotherProcessor) Build(subsystems.ClientContext) (ldevents.EventProcessor, error) {
	return nil, nil
}
