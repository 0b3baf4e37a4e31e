// Package race tells tests whether they run with the race detector, for the few that can't mean the same with it.
package race
