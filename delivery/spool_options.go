package delivery

// DefaultSpoolMaxBytes is the default of [WithSpoolMaxBytes]: 1 GiB.
const DefaultSpoolMaxBytes = 1 << 30

// spoolSettings are zero without a spool.
type spoolSettings struct {
	directory   string
	maxBytes    int
	sync        bool   // whether recording a custom event waits until it is on disk
	environment string // a hash of the SDK key
	schema      string // of the events
	disk        disk
}

// WithSpool keeps events that wait for delivery in files of a directory, so that they survive the
// process: a later process with the same directory and SDK key delivers what this one leaves
// behind, however it ends. An event is on disk at most 100ms after it was recorded, or after two
// fsyncs where the disk is slower than that; a summary of evaluations within a second. The files
// contain what would be sent, without private attributes, and no SDK key.
//
// The directory is created if it does not exist. Several processes may share it, of several SDK
// keys too. It must be on a local disk: locks and fsync of network file systems are not reliable,
// and a warning is logged for one. If the directory cannot be used, or the disk is full, events
// wait in memory as without a spool; that is logged, and counted in [Stats.SpoolFailures], and
// delivery goes back to the disk once it works. An empty name means no spool.
//
// With a spool, the number of events that wait is bounded by [WithSpoolMaxBytes]. [WithMaxEvents]
// has no effect, and [WithMaxBytes] bounds the events that are not on disk. Shutdown leaves on disk
// what it could not deliver. There is no spool on operating systems without flock, such as Windows,
// where events always wait in memory.
func WithSpool(directory string) Option {
	return optionFunc(func(s *settings) { s.spool.directory = directory })
}

// WithSpoolMaxBytes bounds the size of all files in the spool's directory, those of other processes
// included. Evaluation events take half of it at most. Events for which there is no room wait in
// memory, within [WithMaxBytes]. The default is 1 GiB; a number below 1 means the default.
func WithSpoolMaxBytes(n int) Option {
	return optionFunc(func(s *settings) { s.spool.maxBytes = positive(n, DefaultSpoolMaxBytes) })
}

// WithSyncTrack makes recording a custom event wait until it is on disk: an event for which Track
// has returned survives even if the machine loses its power. That takes an fsync, which all events
// share that are recorded meanwhile. Recording does not wait while the spool is full or cannot be
// written. It has no effect without [WithSpool].
func WithSyncTrack() Option {
	return optionFunc(func(s *settings) { s.spool.sync = true })
}
