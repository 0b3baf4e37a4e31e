// Package spool tests the spool with real processes that end in different ways: killed at random
// moments, by an exit without a shutdown, by a panic, by a shutdown whose deadline ends. Each
// process runs this test binary, which evaluates and tracks with OpenFeature's SDK, the provider
// and LaunchDarkly's SDK, over real HTTP against launchdarklytest. Each tracked event has a serial
// number, with which specs check that it arrives once.
//
// By default, the cases run in a shortened form. With the environment variable SPOOL_E2E=full, they
// run at full size, such as an outage of an hour at 2,000 events a second:
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

// patience is the timeout of all waits. It is reached only if a spec fails.
const patience = 90 * time.Second

// TestMain is also the main function of the processes that specs start.
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

// sized returns the size of a case: short, unless SPOOL_E2E asks for the full size.
func sized(short, full int) int {
	if os.Getenv("SPOOL_E2E") == "full" {
		return full
	}
	return short
}

// waiting returns a context that ends after patience.
func waiting() context.Context { return suite.Within(patience) }
