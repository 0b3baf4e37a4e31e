// Package filedata runs whole programs whose flags come from files: OpenFeature's SDK, the provider, and LaunchDarkly's
// ldfiledata and ldfilewatch. It is a module of its own, for their dependencies.
package filedata
