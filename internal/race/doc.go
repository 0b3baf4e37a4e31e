// Package race reports whether the race detector is enabled, for tests that depend on it.
package race
