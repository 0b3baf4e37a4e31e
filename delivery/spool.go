package delivery

import (
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openfeature-launchdarkly/go-provider/internal/ratelimit"
)

const (
	// writeInterval is the shortest time between two commits of the writer.
	writeInterval = 20 * time.Millisecond
	// spoolFormatDelay is the formatter's delay with a spool.
	spoolFormatDelay = 20 * time.Millisecond
	// summaryDelay is how long a summary of evaluations is only in memory, so that others can be
	// merged into it.
	summaryDelay = 500 * time.Millisecond
	// spoolRetry is the pause after a failure, and before anything else that waits is tried again.
	spoolRetry = 250 * time.Millisecond
	// measureEvery is how often the size of the directory is read.
	measureEvery = time.Second
	// adoptEvery is how often the directory is searched for sets of processes that are gone.
	adoptEvery = time.Minute
	// maxRecovered bounds the events in memory with which further sets are adopted.
	maxRecovered = 4 * maxCommit
)

// spool is a store on disk. The formatter appends to a memory store. A commit moves what is there
// to the head, the last segment of the process's own set, with one fsync: the writer, a goroutine,
// commits within writeInterval, and the sender whenever it records a request. The sender takes
// events from the segments of the set. Another goroutine adopts the segments of processes that are
// gone. While the disk fails or has no room, the sender takes events from the memory store.
//
// One lock, mu, covers all work on the segments, fsync included. Only the sender and the two
// goroutines wait for it: recording and formatting need only the memory store, and Stats a copy.
type spool struct {
	settings  settings
	ledger    *ledger
	report    *reporter
	memory    *memory
	directory *directory
	changed   func() // there may be something to send, or room

	wake    chan struct{} // to the writer
	vacancy chan struct{} // to the adopter
	stop    chan struct{}
	running sync.WaitGroup

	mu       sync.Mutex  // held for all work on the sets, I/O included; released by unlock
	after    []func()    // called by unlock
	own      *set        // nil until the directory can be used
	number   uint32      // of the last segment that got its name
	segments []*segment  // in the order in which they are read, adopted ones first
	head     *segment    // the last one, while it gets events
	found    []*part     // in adopted segments, and not returned by recovered yet
	unsaved  []*part     // taken from memory, and not on disk
	blocked  [lanes]bool // whose events stay in memory
	retryAt  time.Time   // when the next commit may be; zero unless the last write failed
	measured time.Time   // when beside was
	beside   int64       // bytes of the files that are not the own set's

	stored atomic.Pointer[onDisk]

	waitersMu sync.Mutex // never held during I/O
	waiters   []func()   // called after the writer's next commit
}

// onDisk is what is in the segments.
type onDisk struct {
	ready  tally // what can be taken
	held   tally // all that waits
	oldest time.Time
}

func newSpool(s settings, l *ledger, r *reporter, m *memory) *spool {
	m.delay = summaryDelay
	p := &spool{
		settings: s, ledger: l, report: r, memory: m, directory: newDirectory(s.spool),
		wake: make(chan struct{}, 1), vacancy: make(chan struct{}, 1), stop: make(chan struct{}),
	}
	p.stored.Store(&onDisk{})
	return p
}

// start begins to write, and to adopt what others left behind.
func (s *spool) start(changed func()) {
	s.changed = changed
	s.running.Go(s.writeAll)
	s.running.Go(s.adoptAll)
}

func (s *spool) stopped() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// later has unlock call a function that may call the application, and that the provider.
func (s *spool) later(f func()) { s.after = append(s.after, f) }

func (s *spool) unlock() {
	after := s.after
	s.after = nil
	s.mu.Unlock()
	for _, f := range after {
		f()
	}
}

func (s *spool) append(events []event) {
	s.memory.append(events)
	signal(s.wake)
}

// afterwards calls the function once all that was appended before is durable, or stays in memory.
func (s *spool) afterwards(f func()) {
	s.waitersMu.Lock()
	s.waiters = append(s.waiters, f)
	s.waitersMu.Unlock()
	signal(s.wake)
}

func (s *spool) evaluations() int { return s.memory.evaluations() }

func (s *spool) room() [lanes]bool { return s.memory.room() }

// writeAll commits until the spool is closed.
func (s *spool) writeAll() {
	if network := s.directory.disk.network(s.directory.path); network != "" {
		s.report.log(slog.LevelWarn, "spool is on a network file system, where locks and fsync may not be reliable",
			slog.String("type", network), s.where())
	}
	interval := writeInterval
	if s.settings.spool.sync {
		interval = 0
	}
	for again := s.write(); ; again = s.write() {
		var retry <-chan time.Time
		if again { // a summary, or what failed
			retry = time.After(spoolRetry)
		}
		select {
		case <-s.stop:
			return
		case <-time.After(interval):
		}
		select {
		case <-s.stop:
			return
		case <-s.wake:
		case <-retry:
		}
	}
}

// write commits what waits, and returns whether it has to be called again.
func (s *spool) write() (again bool) {
	s.waitersMu.Lock()
	waiters := s.waiters
	s.waiters = nil
	s.waitersMu.Unlock()
	s.mu.Lock()
	before, blocked := *s.stored.Load(), s.blocked
	s.commit()
	changed := *s.measure() != before || s.blocked != blocked
	again = s.pending() || len(s.unsaved) > 0 || slices.ContainsFunc(s.segments, func(g *segment) bool { return len(g.notes) > 0 })
	s.after = append(s.after, waiters...)
	s.unlock()
	if changed { // otherwise two goroutines would wake each other while a flush waits
		s.changed()
	}
	return again
}

// commit makes durable the events in memory for which there is room on disk, and the notes of all
// segments. Whatever fails stays in memory.
func (s *spool) commit() {
	if time.Now().Before(s.retryAt) {
		return
	}
	room, err := s.commitOwn()
	s.blocked = [lanes]bool{!room[laneTracked], !room[laneEvaluations]}
	s.failed(err)
	if err != nil {
		s.retryAt = time.Now().Add(spoolRetry)
	}
	s.tidy()
}

// tidy writes the notes of the segments, and removes those of which nothing waits.
func (s *spool) tidy() {
	s.segments = slices.DeleteFunc(s.segments, func(g *segment) bool {
		var err error
		idle := g.idle() && g != s.head
		if idle {
			err = g.remove()
			signal(s.vacancy)
		} else if len(g.notes) > 0 {
			err = g.write(nil, g.next)
		}
		if g != s.head && g != s.segments[0] && g.named() { // otherwise it could not be opened again
			g.close()
		}
		if errors.Is(err, fs.ErrNotExist) { // somebody has removed it
			g.notes, err = nil, nil
		}
		s.failed(err)
		return idle && err == nil
	})
}

// failed counts a failure, and reports it later.
func (s *spool) failed(err error) {
	if err == nil {
		return
	}
	s.ledger.spoolFailed()
	s.later(func() {
		if s.rarely("write") {
			s.report.log(slog.LevelWarn, "writing to the spool failed, events wait in memory", slog.Any("error", err), s.where())
		}
	})
}

// commitOwn returns for which lanes there is room on disk, none where it fails.
func (s *spool) commitOwn() (room [lanes]bool, err error) {
	for more := true; more; {
		if room, err = s.space(); err != nil {
			return [lanes]bool{}, err
		}
		var fresh, kept []*part
		if fresh, kept, more = s.batch(room); len(fresh)+len(kept) == 0 {
			break
		}
		if err = s.begin(); err == nil {
			err = s.head.append(kept, fresh, s.forget)
		}
		if err != nil {
			if s.head != nil && s.head.size > 0 { // it may be about this file only
				s.head = nil
			}
			for _, p := range slices.Backward(fresh) {
				s.memory.restore(p)
			}
			return [lanes]bool{}, err
		}
		for _, p := range fresh {
			s.memory.settle(p)
		}
		if !s.retryAt.IsZero() {
			s.retryAt = time.Time{}
			s.later(func() { s.report.log(slog.LevelInfo, "spool works again") })
		}
	}
	return room, nil
}

// begin makes a new head where there is none, or where it is full.
func (s *spool) begin() error {
	if s.head != nil && s.head.size < s.directory.segmentBytes {
		return nil
	}
	s.number++
	path := s.directory.segmentPath(s.own.name, s.number)
	f, err := s.directory.disk.create(path)
	if err != nil {
		return err
	}
	s.head = newSegment(s.directory, path, 0)
	s.head.file = f
	s.segments = append(s.segments, s.head)
	return nil
}

// batch returns what is to be written together: events, in parts of the memory store, and parts
// that are to be kept, as far as they fit. more is whether there may be another batch.
func (s *spool) batch(room [lanes]bool) (fresh, kept []*part, more bool) {
	size, limit := 0, int(s.directory.segmentBytes)
	for _, p := range slices.Concat(s.unsaved, s.late()) {
		if room == [lanes]bool{true, true} && size+p.size() <= limit {
			kept = append(kept, p)
			size += p.size()
		}
	}
	for size < limit {
		p := s.memory.takeFrom(room, maxRequestEvents, limit-size)
		if p == nil {
			return fresh, kept, false
		}
		fresh = append(fresh, p)
		size += p.size()
	}
	return fresh, kept, true
}

// late returns the parts that are held for so long that they alone keep a segment.
func (s *spool) late() (parts []*part) {
	for i, g := range s.segments {
		if len(g.fresh) > 0 || i+2 >= len(s.segments) {
			break
		}
		if len(g.notes) == 0 && g.schema == s.directory.schema { // with notes, they are not there as they are now
			parts = slices.AppendSeq(parts, maps.Keys(g.parts))
		}
	}
	return parts
}

// space returns for which lanes there is room on disk. It makes the own set where there is none.
func (s *spool) space() (room [lanes]bool, err error) {
	if err := s.openSet(); err != nil {
		return room, err
	}
	if time.Since(s.measured) >= measureEvery {
		sets, err := s.directory.list()
		if err != nil {
			return room, err
		}
		s.beside, s.measured = 0, time.Now()
		for name, of := range sets {
			if name != s.own.name {
				s.beside += of.bytes
			}
		}
	}
	all, evaluations := int64(0), int64(0)
	for _, g := range s.segments {
		all += g.size
		evaluations += g.evaluations
	}
	beside, maxBytes := s.beside+2*s.directory.segmentBytes, s.settings.spool.maxBytes // twice what a commit writes
	room[laneTracked] = beside+all <= int64(maxBytes)
	// The events of other processes may all be evaluations.
	room[laneEvaluations] = room[laneTracked] && beside+evaluations <= int64(maxBytes)/evaluationShare
	if !room[laneTracked] {
		s.later(func() {
			if s.rarely("full") {
				s.report.log(slog.LevelWarn, "spool is full, further events wait in memory", slog.Int("maxBytes", maxBytes), s.where())
			}
		})
	}
	return room, nil
}

// openSet makes a set where there is none, or where files of the one that there was were removed by
// somebody else. What is left of that one, or open, can still be read.
func (s *spool) openSet() (err error) {
	if s.own != nil {
		if s.directory.named(s.own) && (s.head == nil || s.head.named()) {
			return nil
		}
		s.failed(errSpoolGone)
		defer func(lock file) { _ = lock.Close() }(s.own.lock) // once its segments have other names
		s.own, s.head = nil, nil
	}
	if s.own, err = s.directory.create(); err != nil {
		return err
	}
	for _, g := range s.segments {
		_ = s.rename(g)
	}
	return nil
}

// rename gives a segment a name of the own set.
func (s *spool) rename(g *segment) error {
	s.number++
	path := s.directory.segmentPath(s.own.name, s.number)
	err := s.directory.disk.rename(g.path, path)
	if err == nil {
		g.path = path
	}
	return err
}

func (s *spool) waiting() (events, bytes int) {
	s.mu.Lock()
	defer s.unlock()
	ready := s.measure().ready
	events, bytes = ready.events, ready.size()
	if s.blocked != ([lanes]bool{}) {
		inMemory, size := s.memory.waiting()
		events, bytes = events+inMemory, bytes+size
	}
	return events, bytes
}

func (s *spool) pending() bool {
	inMemory, _ := s.memory.waiting()
	return inMemory > 0
}

// held does not wait for the disk: during I/O, it returns what the segments held before.
func (s *spool) held() (bytes [groups]int, oldest time.Time) {
	if s.mu.TryLock() {
		s.measure()
		s.unlock()
	}
	bytes, oldest = s.memory.held()
	stored := s.stored.Load()
	for g := range groups {
		bytes[g] += stored.held.bytes[g]
	}
	return bytes, earlier(oldest, stored.oldest)
}

func (s *spool) measure() *onDisk {
	m := &onDisk{}
	for _, g := range s.segments {
		for i := range g.fresh {
			m.ready.plus(g.fresh[i].tally)
			m.oldest = earlier(m.oldest, g.fresh[i].since)
		}
		for p := range g.parts {
			for i := range p.events {
				m.held.add(&p.events[i], 1)
			}
			m.oldest = earlier(m.oldest, p.events[0].recordedAt())
		}
	}
	m.held.plus(m.ready)
	s.stored.Store(m)
	return m
}

// earlier returns the first of two times, of which zero ones don't count.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func (s *spool) take(events, bytes int) *part {
	s.mu.Lock()
	defer s.unlock()
	for _, g := range s.segments {
		p, lost := g.take(events, bytes)
		s.lose(lost)
		if p != nil {
			s.commit()
			return p
		}
	}
	if s.blocked == ([lanes]bool{}) {
		return nil
	}
	p := s.memory.takeFrom(s.blocked, events, bytes)
	if p != nil {
		s.unsaved = append(s.unsaved, p)
	}
	return p
}

func (s *spool) divide(p *part, n int) (first, rest *part) {
	s.mu.Lock()
	defer s.unlock()
	if p.segment != nil {
		first, rest = p.segment.divide(p, n)
		s.commit()
		return first, rest
	}
	first, rest = s.memory.divide(p, n)
	i := slices.Index(s.unsaved, p)
	s.unsaved = slices.Replace(s.unsaved, i, i+1, first, rest)
	return first, rest
}

func (s *spool) settle(p *part) {
	s.mu.Lock()
	defer s.unlock()
	s.forget(p)
	time.AfterFunc(writeInterval, func() { signal(s.wake) }) // unless the next request shares its fsync
}

// forget removes a part from where it was.
func (s *spool) forget(p *part) {
	if p.segment != nil {
		p.segment.settle(p)
		return
	}
	s.memory.settle(p)
	s.unsaved = slices.DeleteFunc(s.unsaved, func(other *part) bool { return other == p })
}

func (s *spool) recovered() []*part {
	s.mu.Lock()
	defer s.unlock()
	found := s.found
	s.found = nil
	return found
}

// lose drops events that were on disk and cannot be read any more.
func (s *spool) lose(lost []extent) {
	for _, x := range lost {
		s.later(func() { s.drop(x.epoch, x.weight) })
		signal(s.wake) // the set may have nothing else
	}
}

func (s *spool) drop(epoch uint32, n [groups]uint64) {
	s.report.dropped(DropError{Cause: ErrDamaged, Events: int(n[groupTracked]), Evaluations: int(n[groupOthers])})
	for g := range groups {
		s.ledger.lose(epoch, g, n[g], ErrDamaged)
	}
}

// close writes what is in memory, leaves what waits to a later process, and ends the spool.
func (s *spool) close() (left []event) {
	close(s.stop)
	s.running.Wait()
	s.memory.setDelay(0)
	s.setRetry(time.Time{})
	s.write()
	s.mu.Lock()
	defer s.unlock()
	left = s.memory.close()
	s.head = nil // so that it is removed if it has no events
	s.tidy()
	for _, g := range s.segments {
		left = append(left, s.leave(g)...)
		g.close()
	}
	switch {
	case s.own == nil:
	case len(s.segments) > 0:
		_ = s.own.lock.Close()
	default:
		_ = s.directory.remove(s.own)
	}
	s.own, s.segments, s.unsaved = nil, nil, nil
	s.measure()
	return left
}

// leave counts what a later process will deliver. If the file is gone, it returns what is in
// memory, and drops the rest.
func (s *spool) leave(g *segment) (left []event) {
	if err := g.open(); errors.Is(err, fs.ErrNotExist) || err == nil && !g.named() {
		s.lose(g.fresh)
		for p := range g.parts {
			left = append(left, p.events...)
		}
		return left
	}
	for i := range g.fresh {
		s.ledger.leave(g.fresh[i].epoch, g.fresh[i].weight)
	}
	for p := range g.parts {
		for i := range p.events {
			var t tally
			t.add(&p.events[i], 1)
			s.ledger.leave(p.events[i].epoch, t.weight)
		}
	}
	return nil
}

// adoptAll looks for what other processes left behind until the spool is closed.
func (s *spool) adoptAll() {
	ticker := time.NewTicker(adoptEvery)
	defer ticker.Stop()
	for {
		s.adoptWaiting()
		s.changed() // a read may have failed in a way that passes
		select {
		case <-s.stop:
			return
		case <-ticker.C:
		case <-s.vacancy:
		}
	}
}

// adoptWaiting adopts the sets of this environment that nobody has locked, and reports and discards
// others.
func (s *spool) adoptWaiting() {
	sets, err := s.directory.list()
	if err != nil {
		return // the writer reports that the directory does not work
	}
	foreign, bytes := 0, int64(0)
	for _, name := range slices.Sorted(maps.Keys(sets)) {
		of := sets[name]
		switch {
		case s.stopped():
			return
		case of.onlyAside():
			s.directory.discard(name, of)
		case !strings.HasPrefix(name, s.directory.environment+"-"):
			if !s.directory.discard(name, of) {
				foreign++
				bytes += of.bytes
			}
		case s.mayAdopt(name):
			s.adopt(name)
		}
	}
	if foreign > 0 && s.rarely("foreign") {
		s.report.log(slog.LevelWarn, "spool has events of another SDK key, which are removed 30 days after they were written",
			slog.Int("processes", foreign), slog.Int64("bytes", bytes), s.where())
	}
}

// mayAdopt reports whether a set may be another process's, and there is room for its requests.
func (s *spool) mayAdopt(name string) bool {
	s.mu.Lock()
	defer s.unlock()
	m := s.measure()
	taken := m.held.size() - m.ready.size()
	return (s.own == nil || name != s.own.name) && taken <= maxRecovered
}

// adopt takes over the segments of a set, if its process is gone. It gives them names of the own
// set: each of them has one owner, whenever this process ends.
func (s *spool) adopt(name string) {
	w, of, err := s.directory.inherit(name)
	if err != nil {
		return // its process is alive, or another one was faster
	}
	found := make([]*recovery, len(of.segments))
	later := make(map[string]bool)
	for i, number := range slices.Backward(slices.Sorted(maps.Keys(of.segments))) {
		g := newSegment(s.directory, s.directory.segmentPath(name, number), of.segments[number])
		found[i], err = g.recover(later, s.stopped)
		if i > 0 || err != nil { // the first one is read next
			g.close()
		}
		if err != nil {
			_ = w.lock.Close()
			if errors.Is(err, errSpoolVersion) && !s.directory.discard(name, of) && s.rarely("version") {
				s.report.log(slog.LevelWarn, "spool has events of a later version, which are left for it",
					slog.Int64("bytes", of.bytes), s.where())
			}
			return
		}
	}
	_ = s.directory.disk.sync(s.directory.path) // as the segments are
	s.mu.Lock()
	err = s.openSet()
	for i, r := range found {
		if err == nil {
			err = s.move(r, i)
		}
	}
	if err == nil {
		err = s.directory.remove(w)
	}
	if err != nil {
		for _, r := range found {
			r.segment.close() // it is opened again when it is read
		}
	}
	s.failed(err)
	_ = w.lock.Close()
	s.unlock()
	signal(s.wake) // which removes the segments of which nothing waits
	s.changed()
}

// move makes a recovered segment one of the own set, the one to be read at a place in their order.
func (s *spool) move(r *recovery, at int) error {
	if err := s.rename(r.segment); err != nil {
		return err
	}
	s.segments = slices.Insert(s.segments, at, r.segment)
	s.measured = time.Time{}
	recorded := r.waiting.weight
	recorded[groupTracked] += r.lost // of which the kind is unknown
	epoch := s.ledger.adopt(recorded)
	if r.lost > 0 {
		s.later(func() { s.drop(epoch, [groups]uint64{groupTracked: r.lost}) })
	}
	s.found = append(s.found, r.adopt(epoch)...)
	return nil
}

func (s *spool) setRetry(at time.Time) {
	s.mu.Lock()
	defer s.unlock()
	s.retryAt = at
}

// rarely reports whether to log about the cause now.
func (s *spool) rarely(cause string) bool {
	_, ok := s.report.limiter.Allow(ratelimit.Cause{Kind: "spool", Detail: cause})
	return ok
}

func (s *spool) where() slog.Attr { return slog.String("directory", s.directory.path) }
