// Package ldmatchers has Gomega matchers for what arrived at a
// [github.com/openfeature-launchdarkly/go-provider/launchdarklytest.Server].
//
//	Eventually(box).Should(ldmatchers.HaveReceived(
//		ldmatchers.CustomEvent("checkout").WithMetric(99.9).ForContext("user", "sandy")))
//	Consistently(box).ShouldNot(ldmatchers.HaveReceived(ldmatchers.CustomEvent("refund")))
//	Expect(box).NotTo(ldmatchers.HaveAnswered(http.StatusBadRequest))
//
// [CustomEvent] and its like match one [github.com/openfeature-launchdarkly/go-provider/launchdarklytest.Event],
// so they also work in Gomega's ContainElement, And and the rest.
//
// Matchers are made for one assertion and used by one goroutine at a time, as Gomega's own are.
package ldmatchers
