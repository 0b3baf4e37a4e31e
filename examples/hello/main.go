// Program hello evaluates a flag and tracks a purchase: set LAUNCHDARKLY_SDK_KEY to run it.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
)

func main() {
	provider, err := launchdarkly.NewProvider(os.Getenv("LAUNCHDARKLY_SDK_KEY"))
	if err != nil {
		slog.Error("creating the provider failed", slog.Any("error", err))
		os.Exit(1)
	}
	defer openfeature.Shutdown() // delivers tracked events, for at most 10s
	if err := openfeature.SetProviderAndWait(provider); err != nil {
		slog.Error("feature flags are not ready", slog.Any("error", err))
	}

	ctx := context.Background()
	client := openfeature.NewDefaultClient()
	user := openfeature.NewEvaluationContext("user-42", map[string]any{
		"plan":              "gold",
		"email":             "sandy@example.com",
		"privateAttributes": []string{"email"}, // used in evaluations, never sent
	})
	if enabled, _ := client.BooleanValue(ctx, "new-checkout", false, user); enabled {
		fmt.Println("the new checkout")
	}
	client.Track(ctx, "purchase", user,
		openfeature.NewTrackingEventDetails(99.90).Add("currency", "EUR"))
}
