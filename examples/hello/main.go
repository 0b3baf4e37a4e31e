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
		slog.Error("no provider", slog.Any("error", err))
		os.Exit(1)
	}
	defer openfeature.Shutdown() // delivers what was tracked, for 10s at most
	if err := openfeature.SetProviderAndWait(provider); err != nil {
		slog.Error("flags have their defaults for now", slog.Any("error", err))
	}

	ctx := context.Background()
	client := openfeature.NewDefaultClient()
	user := openfeature.NewEvaluationContext("user-42", map[string]any{
		"plan":              "gold",
		"email":             "sandy@example.com",
		"privateAttributes": []string{"email"}, // evaluated here, never sent
	})
	if enabled, _ := client.BooleanValue(ctx, "new-checkout", false, user); enabled {
		fmt.Println("the new checkout")
	}
	client.Track(ctx, "purchase", user,
		openfeature.NewTrackingEventDetails(99.90).Add("currency", "EUR"))
}
