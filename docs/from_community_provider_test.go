package docs_test

import (
	"log/slog"
	"testing"
	"time"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

func communityAfter(sdkKey string, config ld.Config) error {
	provider, err := launchdarkly.NewProvider(sdkKey,
		launchdarkly.WithConfig(config),
		launchdarkly.WithInitTimeout(5*time.Second),
		launchdarkly.WithContextKindAttribute("contextKind"),
	)
	if err != nil {
		return err
	}
	if err := openfeature.SetProviderAndWait(provider); err != nil {
		slog.Error("no feature flags yet", slog.Any("error", err)) // the provider keeps connecting
	}
	return nil
}

func communityAfterWithClient(sdkKey string, config ld.Config) error {
	config.Events = delivery.Lossless(ldcomponents.SendEvents()) // lossless delivery, with Flush and Stats
	client, err := ld.MakeCustomClient(sdkKey, config, 5*time.Second)
	if err != nil {
		return err
	}
	provider, err := launchdarkly.NewProviderWithClient(client, launchdarkly.WithConfig(config))
	if err != nil {
		return err
	}
	defer client.Close()
	defer provider.Shutdown()
	return openfeature.SetNamedProviderAndWait("with client", provider)
}

func TestFromCommunityProvider(t *testing.T) {
	box := launchdarklytest.NewServer()
	defer box.Close()
	defer openfeature.Shutdown()
	if err := communityAfter(box.SDKKey(), box.Config()); err != nil {
		t.Error(err)
	}
	if err := communityAfterWithClient(box.SDKKey(), box.Config()); err != nil {
		t.Error(err)
	}
}
