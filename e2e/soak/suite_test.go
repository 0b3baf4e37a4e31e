// Package soak injects many faults at once, for a configurable duration: goroutines evaluate flags
// of all types and track events, with contexts and values of all kinds, while flags change, streams
// are interrupted, events are refused, and providers are replaced. At the end, the accounts must
// balance: each accepted event has arrived once, and nothing leaks.
//
// By default, it takes some seconds. The environment variable SOAK sets the duration. Faults are
// derived from Ginkgo's seed, which the suite prints:
//
//	SOAK=5m go test ./e2e/soak -count=1 -timeout=10m -ginkgo.v
//	SOAK=5m go test ./e2e/soak -count=1 -timeout=10m -ginkgo.v -ginkgo.seed=42
package soak

import (
	"context"
	"os"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/suite"
)

// patience is the timeout of all waits after the faults have ended.
const patience = 2 * time.Minute

// shortly is the default duration.
const shortly = 5 * time.Second

func TestSoak(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(patience)
	RunSpecs(t, "Soak")
}

// howLong returns the duration that SOAK sets.
func howLong() time.Duration {
	GinkgoHelper()
	text, ok := os.LookupEnv("SOAK")
	if !ok || text == "" {
		return shortly
	}
	d, err := time.ParseDuration(text)
	Expect(err).NotTo(HaveOccurred(), "SOAK")
	Expect(d).To(BeNumerically(">", 0), "SOAK")
	return d
}

// waiting returns a context that ends after patience.
func waiting() context.Context { return suite.Within(patience) }
