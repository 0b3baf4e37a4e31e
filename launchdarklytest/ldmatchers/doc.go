// Package ldmatchers provides Gomega matchers for the events and requests received by a
// [github.com/openfeature-launchdarkly/go-provider/launchdarklytest.Server].
//
//	Expect(provider.Flush(ctx)).To(Succeed())
//	Expect(server).To(ldmatchers.HaveReceived(
//		ldmatchers.CustomEvent("checkout").WithMetric(99.9).ForContext("user", "sandy")))
//	Expect(server).NotTo(ldmatchers.HaveReceived(ldmatchers.CustomEvent("refund")))
//	Expect(server).NotTo(ldmatchers.HaveReceived(ContainSubstring("sandy@example.com"))) // in any event
//	Expect(server).NotTo(ldmatchers.HaveAnswered(http.StatusBadRequest))
//
// The program examples/checkout of this module has a complete test suite.
//
// [CustomEvent], [FeatureEvent] and [EventOfKind] match a single
// [github.com/openfeature-launchdarkly/go-provider/launchdarklytest.Event], so they can also be
// used in Gomega's ContainElement, And and other composing matchers.
//
// Matchers are not safe for concurrent use.
package ldmatchers
