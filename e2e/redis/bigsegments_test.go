package redis

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	ldredis "github.com/launchdarkly/go-server-sdk-redis-redigo/v3"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/program"
)

// include makes a user a member of the first generation of a big segment, as the Relay Proxy does.
func (s *server) include(user, segment string) {
	GinkgoHelper()
	hash := sha256.Sum256([]byte(user))
	key := prefix + ":big_segment_include:" + base64.StdEncoding.EncodeToString(hash[:])
	Expect(s.do("SADD", key, segment+".g1")).To(BeEquivalentTo(1))
}

// synchronized records that the big segments are up to date.
func (s *server) synchronized() {
	GinkgoHelper()
	Expect(s.do("SET", prefix+":big_segments_synchronized_on", uint64(ldtime.UnixMillisNow()))).To(Equal("OK"))
}

var _ = Describe("A provider with big segments in Redis", func() {
	It("evaluates memberships, and reports the store's status in flag metadata", func() {
		redis := startServer()
		redis.include("sandy", "customers")
		redis.synchronized()
		box := program.NewBox()
		box.SetSegments(ldbuilders.NewSegmentBuilder("customers").Unbounded(true).Generation(1).Build())
		box.SetFlags(ldbuilders.NewFlagBuilder("flag").On(true).FallthroughVariation(0).
			Variations(ldvalue.String("nobody"), ldvalue.String("customer")).
			AddRule(ldbuilders.NewRuleBuilder().Variation(1).Clauses(ldbuilders.SegmentMatchClause("customers"))).
			Build())
		p := start(box, func(c *ld.Config) {
			c.BigSegments = ldcomponents.BigSegments(ldredis.BigSegmentStore().URL(redis.URL())).
				StatusPollInterval(10 * time.Millisecond).ContextCacheTime(time.Nanosecond)
		})
		evaluate := func(user string) []any {
			GinkgoHelper()
			details, err := p.Client.StringValueDetails(
				context.Background(), "flag", "default", openfeature.NewEvaluationContext(user, nil))
			Expect(err).NotTo(HaveOccurred())
			return []any{details.Value, details.FlagMetadata[launchdarkly.MetadataBigSegmentsStatus]}
		}
		Expect(evaluate("sandy")).To(Equal([]any{"customer", "HEALTHY"}))
		Expect(evaluate("alex")).To(Equal([]any{"nobody", "HEALTHY"}))

		redis.Stop()
		Eventually(evaluate).WithArguments("sandy").Should(Equal([]any{"nobody", "STORE_ERROR"}))

		redis.start()
		redis.include("alex", "customers")
		redis.synchronized()
		Eventually(evaluate).WithArguments("alex").Should(Equal([]any{"customer", "HEALTHY"}))
	})
})
