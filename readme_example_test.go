package launchdarkly_test

import (
	"context"
	"errors"
	"log/slog"
	"os"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/hooks"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest/ldmatchers"
)

// The code of the README. It is compiled here; what it does is tested elsewhere.
var (
	_ = readmeUse
	_ = readmeConfigure
	_ = readmeHooks
	_ = readmeBox
	_ = readmeMatchers
)

func readmeUse(ctx context.Context) error {
	provider, err := launchdarkly.NewProvider(os.Getenv("LAUNCHDARKLY_SDK_KEY"))
	if err != nil {
		return err
	}
	defer openfeature.Shutdown() // delivers what was tracked
	if err := openfeature.SetProviderAndWait(provider); err != nil {
		// The key is wrong, or there was no connection within 10 seconds: until there is, flags have their defaults.
		slog.Error("no feature flags yet", slog.Any("error", err))
	}

	client := openfeature.NewDefaultClient()
	user := openfeature.NewEvaluationContext("user-42", map[string]any{
		"plan":              "gold",
		"email":             "sandy@example.com",
		"privateAttributes": []string{"email"}, // evaluated here, never sent
	})
	if enabled, _ := client.BooleanValue(ctx, "new-checkout", false, user); enabled {
		client.Track(ctx, "checkout", user,
			openfeature.NewTrackingEventDetails(99.90).Add("currency", "EUR"))
	}
	return nil
}

func readmeConfigure(
	sdkKey string, store subsystems.ComponentConfigurer[subsystems.PersistentDataStore], alert func(error),
) (*launchdarkly.Provider, error) {
	provider, err := launchdarkly.NewProvider(sdkKey,
		launchdarkly.WithConfig(ld.Config{
			ServiceEndpoints: ldcomponents.RelayProxyEndpoints("http://relay:8030"),
			DataStore:        ldcomponents.PersistentDataStore(store).CacheSeconds(30),
			Events:           ldcomponents.SendEvents().PrivateAttributes("email"),
		}),
		launchdarkly.WithErrorHandler(func(_ context.Context, err error) {
			if errors.Is(err, delivery.ErrQueueFull) {
				alert(err)
			}
		}),
	)
	return provider, err
}

func readmeHooks() {
	openfeature.AddHooks(hooks.NewEvaluationHook(hooks.NewSlogSink(slog.Default(), slog.LevelInfo)))
}

func readmeBox() (*launchdarkly.Provider, error) {
	box := launchdarklytest.NewServer()
	defer box.Close()
	box.SetValue("new-checkout", true)

	provider, err := launchdarkly.NewProvider(box.SDKKey(), launchdarkly.WithConfig(box.Config()))
	return provider, err
}

func readmeMatchers(g gomega.Gomega, box *launchdarklytest.Server) {
	// A suite imports both packages with a dot.
	Expect, HaveReceived, CustomEvent := g.Expect, ldmatchers.HaveReceived, ldmatchers.CustomEvent

	Expect(box).To(HaveReceived(CustomEvent("checkout").
		ForContext("user", "sandy").
		WithMetric(99.90).
		WithDataMember("currency", "EUR")))
}
