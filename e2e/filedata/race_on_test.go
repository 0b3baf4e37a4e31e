//go:build race

package filedata

// raceDetector says whether the specs run with it.
const raceDetector = true
