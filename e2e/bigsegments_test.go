package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"sync"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoreimpl"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// membershipStore is a big segment store that another process keeps up to date.
type membershipStore struct {
	mu       sync.Mutex
	members  map[string]subsystems.BigSegmentMembership // by hashed key
	upToDate time.Time
	failure  error
}

// newMembershipStore returns a store in which the customers include sandy and exclude alex.
func newMembershipStore() *membershipStore {
	customers := []string{"customers.g1"}
	return &membershipStore{
		members: map[string]subsystems.BigSegmentMembership{
			hashed("sandy"): ldstoreimpl.NewBigSegmentMembershipFromSegmentRefs(customers, nil),
			hashed("alex"):  ldstoreimpl.NewBigSegmentMembershipFromSegmentRefs(nil, customers),
		},
		upToDate: time.Now(),
	}
}

func hashed(key string) string {
	sum := sha256.Sum256([]byte(key))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// change changes the store's metadata and error.
func (s *membershipStore) change(upToDate time.Time, failure error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.upToDate, s.failure = upToDate, failure
}

// Build implements [subsystems.ComponentConfigurer].
func (s *membershipStore) Build(subsystems.ClientContext) (subsystems.BigSegmentStore, error) {
	return s, nil
}

func (s *membershipStore) Close() error { return nil }

func (s *membershipStore) GetMetadata() (subsystems.BigSegmentStoreMetadata, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return subsystems.BigSegmentStoreMetadata{LastUpToDate: ldtime.UnixMillisFromTime(s.upToDate)}, s.failure
}

func (s *membershipStore) GetMembership(contextHash string) (subsystems.BigSegmentMembership, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.members[contextHash], s.failure
}

var _ = Describe("Big segments", func() {
	// customersOnly returns a flag that is served to customers only.
	customersOnly := given(func(box *launchdarklytest.Server) {
		box.SetSegments(ldbuilders.NewSegmentBuilder("customers").Unbounded(true).Generation(1).Build())
		box.SetFlags(ldbuilders.NewFlagBuilder("flag").On(true).Variations(ldvalue.Bool(false), ldvalue.Bool(true)).
			FallthroughVariation(0).
			AddRule(ldbuilders.NewRuleBuilder().ID("customers").Variation(1).
				Clauses(ldbuilders.SegmentMatchClause("customers"))).
			Build())
	})
	from := func(store *membershipStore) func(*setup) {
		return configure(func(c *ld.Config) {
			c.BigSegments = ldcomponents.BigSegments(store).StatusPollInterval(time.Millisecond).StaleAfter(time.Hour).
				ContextCacheTime(time.Nanosecond)
		})
	}
	evaluate := func(p *program, key string) openfeature.BooleanEvaluationDetails {
		GinkgoHelper()
		details, err := p.client.BooleanValueDetails(context.Background(), "flag", false, user(key))
		Expect(err).NotTo(HaveOccurred())
		return details
	}

	It("report the status of their store in flag metadata", func() {
		store := newMembershipStore()
		p := start(customersOnly, from(store))
		statusAndValue := func() []any {
			details := evaluate(p, "sandy")
			return []any{details.FlagMetadata[launchdarkly.MetadataBigSegmentsStatus], details.Value}
		}
		Expect(statusAndValue()).To(Equal([]any{"HEALTHY", true}))

		store.change(time.Now().Add(-2*time.Hour), nil)
		Eventually(statusAndValue).Should(Equal([]any{"STALE", true}), "known memberships remain valid")

		store.change(time.Now(), errors.New("hunter2"))
		Eventually(statusAndValue).Should(Equal([]any{"STORE_ERROR", false}), "no membership is known")
		Expect(p.client.State()).To(Equal(openfeature.ReadyState))

		store.change(time.Now(), nil)
		Eventually(statusAndValue).Should(Equal([]any{"HEALTHY", true}))
		Expect(p.events.of(openfeature.ProviderStale)).To(BeEmpty(), "the provider's own data was fresh all the time")
	})

	It("have no members without a configuration", func() {
		details := evaluate(start(customersOnly), "sandy")
		Expect(details.Value).To(BeFalse())
		Expect(details.FlagMetadata).To(HaveKeyWithValue(launchdarkly.MetadataBigSegmentsStatus, "NOT_CONFIGURED"))
	})
})
