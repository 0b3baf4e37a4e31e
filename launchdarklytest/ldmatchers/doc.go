// Package ldmatchers has Gomega matchers for what arrived at a
// [github.com/openfeature-launchdarkly/go-provider/launchdarklytest.Server].
//
//	Expect(provider.Flush(ctx)).To(Succeed())
//	Expect(box).To(ldmatchers.HaveReceived(
//		ldmatchers.CustomEvent("checkout").WithMetric(99.9).ForContext("user", "sandy")))
//	Expect(box).NotTo(ldmatchers.HaveReceived(ldmatchers.CustomEvent("refund")))
//	Expect(box).NotTo(ldmatchers.HaveReceived(ContainSubstring("sandy@example.com"))) // in no event at all
//	Expect(box).NotTo(ldmatchers.HaveAnswered(http.StatusBadRequest))
//
// The module's examples/checkout has a whole suite.
//
// [CustomEvent] and its like match one [github.com/openfeature-launchdarkly/go-provider/launchdarklytest.Event],
// so they also work in Gomega's ContainElement, And and the rest.
//
// Matchers are made for one assertion and used by one goroutine at a time, as Gomega's own are.
package ldmatchers
