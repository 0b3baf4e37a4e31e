//go:build !race

package launchdarkly_test

// raceDetector says whether the tests run with it: a sync.Pool then forgets at random.
const raceDetector = false
