// Package spool holds what a spool promises, with real processes that really end: killed at random moments, by an exit
// without a shutdown, by a panic, with a deadline that ends. Each process is this test binary again, which evaluates and
// tracks with OpenFeature's SDK, the provider and LaunchDarkly's SDK, over real HTTP against launchdarklytest. Each tracked
// event carries a serial number, by which LaunchDarkly's side checks that it arrives, once.
//
// By default the cases run in a shortened form. The environment variable SPOOL_E2E=full makes them run at full size, the
// outage of an hour at 2,000 events a second for one:
//
//	SPOOL_E2E=full go test ./e2e/spool -count=1 -timeout=30m -ginkgo.v
package spool

import (
	"context"
	"os"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/suite"
)

// patience is how long specs wait for what must happen. None waits that long when all is well.
const patience = 90 * time.Second

// TestMain is also the start of every process that the specs start.
func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role))
	}
	os.Exit(m.Run())
}

func TestSpool(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(patience)
	RunSpecs(t, "Spool")
}

// sized is how much a case takes on: less of it, unless the full size is asked for.
func sized(short, full int) int {
	if os.Getenv("SPOOL_E2E") == "full" {
		return full
	}
	return short
}

// waiting is a context that ends when a spec has waited for too long.
func waiting() context.Context { return suite.Within(patience) }
