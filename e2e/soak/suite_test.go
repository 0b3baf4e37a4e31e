// Package soak lets everything go wrong at once, for as long as you like: goroutines evaluate flags of all types and track
// events, for contexts of every kind and with values of every kind, while flags change, streams are cut, events are
// refused, and providers come and go. At the end, the accounts have to balance: each event that was accepted has arrived,
// once, and nothing is left behind.
//
// By default it takes some seconds. The environment variable SOAK is how long to go on, as a duration; what happens is
// drawn with Ginkgo's seed, which the suite prints:
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

// patience is how long to wait for what must happen, once nothing is in its way any more.
const patience = 2 * time.Minute

// shortly is how long the suite goes on unless SOAK says otherwise.
const shortly = 5 * time.Second

func TestSoak(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(patience)
	RunSpecs(t, "Soak")
}

// howLong is what SOAK says.
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

// waiting is a context that ends when the suite has waited for too long.
func waiting() context.Context { return suite.Within(patience) }
