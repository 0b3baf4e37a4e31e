// Package bench compares this provider with LaunchDarkly's SDK alone, the community provider, and
// OpenFeature's own overhead, side by side in one run. It is a separate module, so that the
// packages that it compares with are not dependencies of the root module.
package bench
