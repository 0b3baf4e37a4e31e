// Package e2e runs whole programs: OpenFeature's SDK, the provider and LaunchDarkly's SDK, over
// real HTTP against launchdarklytest. Each spec has a server and an OpenFeature API of its own, so
// that specs can run in any order and at the same time.
package e2e

import (
	"context"
	"testing"

	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/suite"
)

const patience = suite.Patience

func TestE2E(t *testing.T) { suite.RunSpecs(t, "Provider") }

// waiting returns a context that ends after patience.
func waiting() context.Context { return suite.Within(patience) }
