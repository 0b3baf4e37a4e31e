// Package filedata tests whole programs that read their flags from files: OpenFeature's SDK, the
// provider, and LaunchDarkly's ldfiledata and ldfilewatch.
package filedata
