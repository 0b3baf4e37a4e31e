// The hello example evaluates a flag and tracks a purchase. It needs LAUNCHDARKLY_SDK_KEY.
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
		slog.Error("create provider", slog.Any("error", err))
		os.Exit(1)
	}
	defer openfeature.Shutdown() // delivers tracked events, for at most 10s
	if err := openfeature.SetProviderAndWait(provider); err != nil {
		slog.Error("no feature flags yet, using defaults", slog.Any("error", err))
	}

	ctx := context.Background()
	client := openfeature.NewDefaultClient()
	user := openfeature.NewEvaluationContext("user-42", map[string]any{
		"plan":              "gold",
		"email":             "sandy@example.com",
		"privateAttributes": []string{"email"}, // used for targeting, never sent
	})
	if enabled, _ := client.BooleanValue(ctx, "new-checkout", false, user); enabled {
		fmt.Println("the new checkout")
	}
	client.Track(ctx, "purchase", user,
		openfeature.NewTrackingEventDetails(99.90).Add("currency", "EUR"))
}
