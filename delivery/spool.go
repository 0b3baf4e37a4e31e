package delivery

import (
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/openfeature-launchdarkly/go-provider/internal/ratelimit"
)

const (
	// writeInterval is how often events are written to disk.
	writeInterval = 20 * time.Millisecond
	// spoolFormatDelay is the formatter's delay with a spool.
	spoolFormatDelay = 20 * time.Millisecond
	// summaryDelay is how long a summary of evaluations is only in memory, so that others can be
	// merged into it.
	summaryDelay = 500 * time.Millisecond
	// spoolRetry is how long nothing is written after a failure, and how soon is written what has
	// to wait.
	spoolRetry = 250 * time.Millisecond
	// adoptEvery is how often sets are looked for that other processes left behind.
	adoptEvery = time.Minute
	// maxAdopted is how many of them are open at a time.
	maxAdopted = 8
)

// spool is a store on disk. The formatter appends to a memory store, from which a goroutine of the
// spool's writes events to the own set of segments. Another makes them durable, all that are
// written by then with one fsync. The sender takes events from there, and from the sets that other
// processes left behind, which a third goroutine adopts. While the disk does not work or has no
// room, the sender takes events from the memory store, and delivery is what it is without a spool.
type spool struct {
	settings  settings
	ledger    *ledger
	report    *reporter
	memory    *memory
	directory *directory
	changed   func() // there may be something to send, or room

	wake     chan struct{} // to what writes
	unsynced chan struct{} // to what syncs
	vacancy  chan struct{} // to the adopter
	stop     chan struct{}
	running  sync.WaitGroup

	inMemory map[*part]struct{} // of the sender: the parts that are not on disk
	keepAt   time.Time          // of the sender: none of them is written before

	mu      sync.Mutex
	own     *set   // nil until the directory can be used
	others  []*set // adopted ones, and own ones that were removed by somebody else
	found   []*part
	ready   tally       // what can be taken from sets
	taken   tally       // the parts of sets
	blocked [lanes]bool // of which events wait in memory only
	waiters []func()    // called once what was appended before is durable, or cannot be made so
	failing bool        // the last write failed
	retryAt time.Time   // nothing is written before
}

func newSpool(s settings, l *ledger, r *reporter, m *memory) *spool {
	m.delay = summaryDelay
	return &spool{
		settings: s, ledger: l, report: r, memory: m, directory: newDirectory(s.spool),
		inMemory: make(map[*part]struct{}),
		wake:     make(chan struct{}, 1), unsynced: make(chan struct{}, 1), vacancy: make(chan struct{}, 1), stop: make(chan struct{}),
	}
}

// start begins to write, and to adopt what others left behind.
func (s *spool) start(changed func()) {
	s.changed = changed
	s.running.Go(s.writeAll)
	s.running.Go(s.syncAll)
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

func (s *spool) append(events []event) {
	s.memory.append(events)
	signal(s.wake)
}

// afterwards calls the function once all that was appended before is durable, or stays in memory.
func (s *spool) afterwards(f func()) {
	s.mu.Lock()
	s.waiters = append(s.waiters, f)
	s.mu.Unlock()
	signal(s.wake)
}

func (s *spool) evaluations() int { return s.memory.evaluations() }

func (s *spool) room() [lanes]bool { return s.memory.room() }

// writeAll moves events from memory to disk until the spool is closed.
func (s *spool) writeAll() {
	s.warnOfNetwork()
	s.write()
	interval := writeInterval
	if s.settings.spool.sync {
		interval = 0
	}
	timer := time.NewTimer(spoolRetry)
	defer timer.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-s.wake:
		case <-timer.C: // a summary, or what failed before
		}
		began := time.Now()
		s.write()
		if s.pending() || s.isBlocked() {
			timer.Reset(spoolRetry)
		}
		if rest := interval - time.Since(began); rest > 0 {
			select {
			case <-s.stop:
				return
			case <-time.After(rest):
			}
		}
	}
}

// syncAll makes durable what is written, again and again: what comes meanwhile shares an fsync.
func (s *spool) syncAll() {
	for {
		select {
		case <-s.stop:
			return
		case <-s.unsynced:
			s.sync()
		}
	}
}

func (s *spool) sync() {
	if own := s.ownSet(); own != nil {
		_ = own.sync() // the set reports its own failures
	}
}

// write moves all events to disk for which there is room.
func (s *spool) write() {
	s.mu.Lock()
	waiters, retryAt := s.waiters, s.retryAt
	s.waiters = nil
	s.mu.Unlock()

	room := [lanes]bool{}
	if !time.Now().Before(retryAt) {
		var err error
		for more := true; more && err == nil; {
			if room, err = s.space(); err == nil {
				more, err = s.move(room)
			}
		}
		if err != nil {
			s.writeFailed(err)
			room = [lanes]bool{}
			if own := s.ownSet(); own != nil {
				own.check()
			}
		}
	}
	s.setBlocked([lanes]bool{!room[laneTracked], !room[laneEvaluations]})
	if own := s.ownSet(); own != nil {
		own.await(waiters)
	} else {
		call(waiters)
	}
	signal(s.unsynced)
	s.changed()
}

// space returns for which lanes there is room on disk. It makes the own set where there is none.
func (s *spool) space() (room [lanes]bool, err error) {
	own := s.ownSet()
	if own != nil && own.isGone() {
		_ = own.sync() // what was written to removed files waits in memory again
	}
	if own == nil || own.isGone() {
		made, err := s.directory.create()
		if err != nil {
			return room, err
		}
		made.synced = s.written
		s.mu.Lock()
		if own != nil {
			s.others = append(s.others, own)
		}
		s.own, own = made, made
		s.mu.Unlock()
	}
	if own.full() {
		if err := own.sync(); err != nil {
			return room, err
		}
	}
	room, err = s.directory.space(own)
	if err == nil && !room[laneTracked] {
		if s.rarely("full") {
			s.report.log(slog.LevelWarn, "spool is full, further events wait in memory",
				slog.Int("maxBytes", s.settings.spool.maxBytes), s.where())
		}
	}
	return room, err
}

func (s *spool) ownSet() *set {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.own
}

// move writes events of the lanes, and returns whether there may be more.
func (s *spool) move(from [lanes]bool) (more bool, err error) {
	b := &batch{}
	for bytes := 0; bytes < int(s.directory.segmentBytes); {
		p := s.memory.takeFrom(from, maxRequestEvents, int(s.directory.segmentBytes)-bytes)
		if p == nil {
			break
		}
		b.parts = append(b.parts, p)
		bytes += p.bytes
	}
	if len(b.parts) == 0 {
		return false, nil
	}
	if err := s.ownSet().append(b); err != nil {
		s.restore(b)
		return false, err
	}
	return true, nil
}

// restore has events of a batch wait in memory again.
func (s *spool) restore(b *batch) {
	for _, p := range slices.Backward(b.parts) {
		s.memory.restore(p)
	}
}

// written takes in that batches are durable, or cannot be made so.
func (s *spool) written(batches []*batch, err error) {
	if err != nil {
		for _, b := range slices.Backward(batches) {
			s.restore(b)
		}
		s.writeFailed(err)
		s.setBlocked([lanes]bool{true, true})
		signal(s.wake)
	} else {
		s.mu.Lock()
		for _, b := range batches {
			s.ready.plus(b.added, 1)
			for _, p := range b.parts {
				s.memory.settle(p)
			}
		}
		works := s.failing
		s.failing = false
		s.mu.Unlock()
		if works {
			s.report.log(slog.LevelInfo, "spool works again")
		}
	}
	s.changed()
	for _, b := range batches {
		call(b.waiters)
	}
}

func (s *spool) isBlocked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.blocked != [lanes]bool{}
}

func (s *spool) setBlocked(blocked [lanes]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blocked = blocked
}

func (s *spool) waiting() (events, bytes int) {
	s.mu.Lock()
	events, bytes = s.ready.events, s.ready.size()
	blocked := s.blocked
	s.mu.Unlock()
	if blocked != ([lanes]bool{}) {
		inMemory, size := s.memory.waiting()
		events, bytes = events+inMemory, bytes+size
	}
	return events, bytes
}

func (s *spool) pending() bool {
	inMemory, _ := s.memory.waiting()
	return inMemory > 0
}

func (s *spool) held() (bytes [groups]int, oldest time.Time) {
	bytes, oldest = s.memory.held()
	s.mu.Lock()
	for g := range groups {
		bytes[g] += s.ready.bytes[g] + s.taken.bytes[g]
	}
	s.mu.Unlock()
	for _, w := range s.sets() {
		if since := w.oldest(); !since.IsZero() && (oldest.IsZero() || since.Before(oldest)) {
			oldest = since
		}
	}
	return bytes, oldest
}

// sets returns all sets, the older ones first.
func (s *spool) sets() []*set {
	s.mu.Lock()
	defer s.mu.Unlock()
	sets := slices.Clone(s.others)
	if s.own != nil {
		sets = append(sets, s.own)
	}
	return sets
}

func (s *spool) take(events, bytes int) *part {
	for _, w := range s.sets() {
		p, taken, lost, err := w.take(events, bytes)
		s.mu.Lock()
		s.ready.plus(taken, -1)
		s.taken.plus(taken, 1)
		s.mu.Unlock()
		s.warnOfWrite(err)
		s.lose(lost)
		if p != nil {
			return p
		}
		s.finish(w)
	}
	s.mu.Lock()
	blocked := s.blocked
	s.mu.Unlock()
	if blocked == ([lanes]bool{}) {
		return nil
	}
	p := s.memory.takeFrom(blocked, events, bytes)
	if p != nil {
		s.inMemory[p] = struct{}{}
	}
	return p
}

// keepParts writes the parts to disk that were taken while it did not work.
func (s *spool) keepParts() {
	now := time.Now()
	own := s.ownSet()
	if len(s.inMemory) == 0 || s.isBlocked() || own == nil || now.Before(s.keepAt) {
		return
	}
	for p := range s.inMemory {
		if err := own.keep(p); err != nil {
			s.warnOfWrite(err)
			s.keepAt = now.Add(spoolRetry)
			return
		}
		delete(s.inMemory, p)
		s.mu.Lock()
		s.memory.settle(p)
		for i := range p.events {
			s.taken.add(&p.events[i], 1)
		}
		s.mu.Unlock()
	}
}

func (s *spool) divide(p *part, n int) (first, rest *part) {
	if p.set == nil {
		first, rest = s.memory.divide(p, n)
		delete(s.inMemory, p)
		s.inMemory[first], s.inMemory[rest] = struct{}{}, struct{}{}
		return first, rest
	}
	first, rest, err := p.set.divide(p, n)
	s.warnOfWrite(err)
	return first, rest
}

func (s *spool) settle(p *part) {
	if p.set == nil {
		delete(s.inMemory, p)
		s.memory.settle(p)
		return
	}
	s.warnOfWrite(p.set.settle(p))
	s.mu.Lock()
	for i := range p.events {
		s.taken.add(&p.events[i], -1)
	}
	s.mu.Unlock()
	s.finish(p.set)
}

// finish ends a set that will get no more events once nothing of it waits.
func (s *spool) finish(w *set) {
	s.mu.Lock()
	i := slices.Index(s.others, w)
	s.mu.Unlock()
	if i < 0 || !w.idle() {
		return
	}
	s.mu.Lock()
	s.others = slices.DeleteFunc(s.others, func(other *set) bool { return other == w })
	s.mu.Unlock()
	err := w.end()
	s.warnOfWrite(err)
	if err == nil { // otherwise it would be found again at once
		signal(s.vacancy)
	}
}

func (s *spool) recovered() []*part {
	s.keepParts()
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.found
	s.found = nil
	return found
}

// lose drops events that were on disk and cannot be read any more.
func (s *spool) lose(lost []extent) {
	for i := range lost {
		x := &lost[i]
		s.mu.Lock()
		s.ready.plus(x.tally, -1)
		s.mu.Unlock()
		s.drop(x.epoch, x.weight)
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
	s.sync()
	s.keepAt = time.Time{}
	s.keepParts()
	left = s.memory.close()
	for _, w := range s.sets() {
		fresh, parts := w.rest()
		if w.isGone() {
			s.lose(fresh)
			for _, p := range parts {
				left = append(left, p.events...)
			}
		} else {
			for i := range fresh {
				s.ledger.leave(fresh[i].epoch, fresh[i].weight)
			}
			for _, p := range parts {
				for i := range p.events {
					var n [groups]uint64
					n[p.events[i].kind.group()] = uint64(p.events[i].weight)
					s.ledger.leave(p.events[i].epoch, n)
				}
			}
		}
		s.warnOfWrite(w.end())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.own, s.others, s.ready, s.taken = nil, nil, tally{}, tally{}
	return left
}

// adoptAll looks for what other processes left behind until the spool is closed.
func (s *spool) adoptAll() {
	ticker := time.NewTicker(adoptEvery)
	defer ticker.Stop()
	for {
		s.adoptWaiting()
		s.changed() // reading may have failed before in a way that passes
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
		return // the committer reports that the directory does not work
	}
	foreign, bytes := 0, int64(0)
	for _, name := range slices.Sorted(maps.Keys(sets)) {
		switch {
		case s.stopped():
			return
		case sets[name].onlyAside():
			s.directory.discard(name, sets[name])
		case !strings.HasPrefix(name, s.directory.environment+"-"):
			if !s.directory.discard(name, sets[name]) {
				foreign++
				bytes += sets[name].bytes
			}
		case len(s.sets()) > maxAdopted || slices.ContainsFunc(s.sets(), func(w *set) bool { return w.name == name }):
		default:
			s.adopt(name, sets[name])
		}
	}
	if foreign > 0 && s.rarely("foreign") {
		s.report.log(slog.LevelWarn, "spool has events of another SDK key, which are removed 30 days after they were written",
			slog.Int("processes", foreign), slog.Int64("bytes", bytes), s.where())
	}
}

// adopt takes over a set, if its process is gone.
func (s *spool) adopt(name string, of *listing) {
	w, err := s.directory.inherit(name)
	if err != nil {
		return // its process is alive, or another one was faster
	}
	r, err := w.recover(s.stopped)
	if err != nil {
		_ = w.lock.Close()
		if errors.Is(err, errSpoolVersion) && !s.directory.discard(name, of) && s.rarely("version") {
			s.report.log(slog.LevelWarn, "spool has events of a later version, which are left for it",
				slog.Int64("bytes", of.bytes), s.where())
		}
		return
	}
	n := r.waiting.weight
	n[groupTracked] += r.lost // of which the kind is unknown
	epoch := s.ledger.adopt(n)
	if r.lost > 0 {
		s.drop(epoch, [groups]uint64{groupTracked: r.lost})
	}
	fresh, parts := w.adopted(epoch)
	s.mu.Lock()
	s.others = append(s.others, w)
	s.ready.plus(fresh, 1)
	for _, p := range parts {
		for i := range p.events {
			s.taken.add(&p.events[i], 1)
		}
	}
	s.found = append(s.found, parts...)
	s.mu.Unlock()
	s.finish(w)
	s.changed()
}

func (s *spool) setRetry(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retryAt = at
}

// writeFailed has events wait in memory for a while.
func (s *spool) writeFailed(err error) {
	s.mu.Lock()
	s.failing, s.retryAt = true, time.Now().Add(spoolRetry)
	s.mu.Unlock()
	s.warnOfWrite(err)
}

// warnOfWrite counts and reports that the disk does not work.
func (s *spool) warnOfWrite(err error) {
	if err == nil {
		return
	}
	s.ledger.spoolFailed()
	if s.rarely("write") {
		s.report.log(slog.LevelWarn, "writing to the spool failed, events wait in memory", slog.Any("error", err), s.where())
	}
}

func (s *spool) warnOfNetwork() {
	if network := s.directory.disk.network(s.directory.path); network != "" {
		s.report.log(slog.LevelWarn, "spool is on a network file system, where locks and fsync may not be reliable",
			slog.String("type", network), s.where())
	}
}

// rarely reports whether something of the kind is to be logged now.
func (s *spool) rarely(kind string) bool {
	_, ok := s.report.limiter.Allow(ratelimit.Cause{Kind: "spool", Detail: kind})
	return ok
}

func (s *spool) where() slog.Attr { return slog.String("directory", s.directory.path) }
