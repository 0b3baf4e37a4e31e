// Package bench compares this provider with LaunchDarkly's bare SDK, with the community provider, and with OpenFeature's
// own costs, side by side in one run. It is a module of its own, so that what it compares with is nobody's dependency.
package bench
