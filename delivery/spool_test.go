package delivery

import (
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// machine is a spool without its goroutines, and an events service that drops a payload ID that it
// has seen.
type machine struct {
	t         testing.TB
	directory string
	disk      *faultyDisk
	opts      []Option

	spool  *spool
	ledger *ledger
	next   int          // the number of the next event
	synced map[int]bool // events that are on disk, as far as the spool has reported
	seen   map[string]bool
	times  map[int]int // how often each event arrived
}

func newMachine(t testing.TB, opts ...Option) *machine {
	m := newMachineWith(t, addFaults(newMemoryDisk()), "/spool", opts...)
	m.start()
	return m
}

func newMachineWith(t testing.TB, d *faultyDisk, directory string, opts ...Option) *machine {
	return &machine{
		t: t, directory: directory, disk: d, opts: opts,
		synced: map[int]bool{}, seen: map[string]bool{}, times: map[int]int{},
	}
}

// files returns the paths of the directory's files that end in the suffix.
func (m *machine) files(suffix string) (paths []string) {
	m.t.Helper()
	entries, err := m.disk.list(m.directory)
	if err != nil {
		m.t.Fatal(err)
	}
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), suffix) {
			paths = append(paths, filepath.Join(m.directory, entry.Name()))
		}
	}
	return paths
}

// read returns the content of a file.
func (m *machine) read(path string) []byte {
	m.t.Helper()
	f, err := m.disk.disk.open(path)
	if err != nil {
		m.t.Fatal(err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<30))
	if err != nil {
		m.t.Fatal(err)
	}
	return content
}

// write makes a file.
func (m *machine) write(path string, content []byte) {
	m.t.Helper()
	if err := m.disk.disk.mkdir(filepath.Dir(path)); err != nil {
		m.t.Fatal(err)
	}
	f, err := m.disk.disk.create(path)
	if err != nil {
		m.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(content, 0); err != nil {
		m.t.Fatal(err)
	}
}

// start makes a new process.
func (m *machine) start() {
	s := newSettings(append([]Option{
		WithSpool(m.directory), WithLogger(slog.New(slog.DiscardHandler)),
	}, m.opts...), 0)
	s.spool.environment, s.spool.schema, s.spool.disk = environmentOf("sdk-key"), "4", m.disk
	m.ledger = newLedger()
	r := newReporter(s)
	m.spool = newSpool(s, m.ledger, r, newMemory(s, m.ledger, r))
	m.spool.changed = func() {}
	m.spool.write()
	m.spool.adoptWaiting()
}

// append records events.
func (m *machine) append(n int) {
	events := make([]event, n)
	for i := range events {
		epoch, _ := m.ledger.open(groupTracked, 1<<60)
		text := fmt.Sprintf(`{"kind":"custom","creationDate":%d,"key":"purchase","metricValue":%d,"data":%q}`,
			time.Now().UnixMilli(), m.next, strings.Repeat("x", m.next%50))
		events[i] = event{json: []byte(text), kind: kindCustom, weight: 1, epoch: epoch}
		m.next++
	}
	m.spool.append(events)
}

// commit writes what was appended.
func (m *machine) commit() {
	first := m.next
	inMemory, _ := m.spool.memory.waiting()
	m.spool.write()
	if left, _ := m.spool.memory.waiting(); left == 0 && !m.disk.crashed() {
		for i := first - inMemory; i < first; i++ {
			m.synced[i] = true
		}
	}
}

// send has a part arrive.
func (m *machine) send(p *part) {
	if m.disk.crashed() || m.seen[p.id] {
		return
	}
	m.seen[p.id] = true
	for i := range p.events {
		m.times[m.number(&p.events[i])]++
	}
}

func (m *machine) number(e *event) int {
	_, after, _ := strings.Cut(string(e.json), `"metricValue":`)
	number, _, ok := strings.Cut(after, ",")
	n, err := strconv.Atoi(number)
	if !ok || err != nil {
		m.t.Fatalf("%q: %v", e.json, err)
	}
	return n
}

func (m *machine) settle(p *part) {
	m.spool.settle(p)
	m.ledger.settle(p.events, nil)
}

// deliver has everything arrive that can be taken, and returns how many events that were.
func (m *machine) deliver() (n int) {
	for _, p := range m.spool.recovered() {
		m.send(p)
		m.settle(p)
		n += len(p.events)
	}
	for p := m.spool.take(7, 1<<20); p != nil; p = m.spool.take(7, 1<<20) {
		m.send(p)
		m.settle(p)
		n += len(p.events)
	}
	return n
}

// check is that every event that was on disk arrived once, and none twice.
func (m *machine) check(what string) {
	m.t.Helper()
	for i := range m.next {
		if n := m.times[i]; n > 1 || n == 0 && m.synced[i] {
			m.t.Errorf("%s: event %d of %d arrived %d times", what, i, m.next, n)
		}
	}
}

// empty is that the directory holds nothing that waits.
func (m *machine) empty() {
	m.t.Helper()
	m.spool.close()
	if left := m.files(""); len(left) > 0 {
		m.t.Errorf("left in the directory: %v", left)
	}
}

func TestSpoolDeliversInOrderAndLeavesNothing(t *testing.T) {
	m := newMachine(t, WithSpoolMaxBytes(64<<10))
	for range 40 {
		m.append(25)
		m.commit()
	}
	if bytes, _ := m.spool.held(); bytes[groupTracked] == 0 {
		t.Error("nothing is held")
	}
	for number := 0; ; {
		p := m.spool.take(30, 1<<20)
		if p == nil {
			break
		}
		for i := range p.events {
			if got := m.number(&p.events[i]); got != number {
				t.Fatalf("event %d came as %d", got, number)
			}
			number++
		}
		m.send(p)
		m.settle(p)
	}
	m.check("")
	if len(m.times) != 1000 {
		t.Errorf("%d events arrived", len(m.times))
	}
	if bytes, oldest := m.spool.held(); bytes != [groups]int{} || !oldest.IsZero() {
		t.Errorf("held: %v, %v", bytes, oldest)
	}
	if n := len(m.files(segmentSuffix)); n > 2 {
		t.Errorf("%d segments are left", n)
	}
	m.empty()
}

// Whoever looks for what others left behind may find the lock of a new set before its owner has it.
func TestSpoolOwnerAndAdopterRaceForALock(t *testing.T) {
	for name, keeps := range map[string]bool{"the adopter has removed it": false, "the adopter has it": true} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.spool.close()
			directory := m.spool.directory
			var stolen *set
			m.disk.locking = func() {
				sets, err := directory.list()
				if err != nil || len(sets) != 1 {
					t.Fatalf("%v, %v", sets, err)
				}
				for name := range sets {
					if stolen, _, err = directory.inherit(name); err != nil {
						t.Fatal(err)
					}
				}
				if !keeps {
					if err := directory.remove(stolen); err != nil {
						t.Fatal(err)
					}
				}
			}
			owned, err := directory.create()
			if err != nil {
				t.Fatal(err)
			}
			if stolen == nil || owned.name == stolen.name {
				t.Errorf("both have %s", owned.name)
			}
			if !directory.disk.same(directory.lockPath(owned.name), owned.lock) {
				t.Error("the owner's lock has no name")
			}
		})
	}
}

func TestSpoolKeepsItsSegmentsWhenItsLockIsRemoved(t *testing.T) {
	m := newMachine(t)
	m.append(20)
	m.commit()
	for _, path := range m.files(lockSuffix) {
		if err := m.disk.disk.remove(path); err != nil {
			t.Fatal(err)
		}
	}
	m.append(20)
	m.commit()
	m.spool.adoptWaiting()
	m.deliver()
	m.check("")
	if n := len(m.times); n != 40 {
		t.Errorf("%d events arrived", n)
	}
	m.empty()
}

// Random lives of processes, which end at any operation of the disk, in the middle of writes too,
// and with a loss of power half of the time.
func TestSpoolSurvivesCrashesAnywhere(t *testing.T) {
	t.Parallel()
	lives := 1000
	if testing.Short() {
		lives = 200
	}
	for seed := range uint64(lives) {
		crash(t, seed)
		if t.Failed() {
			t.Fatalf("with seed %d", seed)
		}
	}
}

func crash(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	m := newMachineWith(t, addFaults(newMemoryDisk()), "/spool", WithSpoolMaxBytes(16<<10<<random.IntN(4)))
	if seed < 50 {
		m.disk, m.directory = newFaultyDisk(), t.TempDir()
	}
	m.start()
	for life := range 1 + random.IntN(3) {
		m.disk.set(func(d *faultyDisk) { d.crashAt, d.torn = d.ops+1+random.IntN(120), random.IntN(400) })
		m.live(random, nil)
		m.disk.set(func(d *faultyDisk) { d.crashAt = max(d.ops, 1) })
		m.disk.restart(random.IntN(2) == 0)
		m.start()
		_ = life
	}
	m.deliver()
	m.check(fmt.Sprint("seed ", seed))
	m.spool.close()
	m.disk.restart(false)
	for _, name := range m.files(segmentSuffix) {
		t.Errorf("seed %d left %s", seed, name)
	}
}

// A disk that fails now and then, at anything that it is asked for.
func TestSpoolSurvivesFailures(t *testing.T) {
	t.Parallel()
	lives := 300
	if testing.Short() {
		lives = 100
	}
	for seed := range uint64(lives) {
		random := rand.New(rand.NewPCG(seed, 3))
		m := newMachine(t, WithSpoolMaxBytes(16<<10<<random.IntN(4)))
		m.spool.changed = func() { m.spool.setRetry(time.Time{}) }
		var held []*part
		for range 10 {
			m.disk.set(func(d *faultyDisk) {
				d.fail, d.failAt, d.failures = errCrashed, d.ops+random.IntN(30), random.IntN(4)
				d.unopened = random.IntN(4)
			})
			held = m.live(random, held)
			if len(held) > 0 {
				m.disk.set(func(d *faultyDisk) { d.fail, d.failures, d.failAt = errCrashed, 1+random.IntN(3), d.ops })
				m.commit()
			}
		}
		m.disk.set(func(d *faultyDisk) { d.fail, d.unopened = nil, 0 })
		for _, p := range held {
			m.send(p)
			m.settle(p)
		}
		m.spool.memory.setDelay(0)
		for m.commit(); m.deliver() > 0; m.commit() {
		}
		for i := range m.next {
			if m.times[i] != 1 {
				t.Errorf("event %d of %d arrived %d times", i, m.next, m.times[i])
			}
		}
		if s := m.ledger.stats(); s.Waiting != 0 || s.Dropped.Total() > 0 {
			t.Errorf("%+v", s)
		}
		m.empty()
		m.disk.restart(false)
		if t.Failed() {
			t.Fatalf("with seed %d", seed)
		}
	}
}

// A process that has too many open files loses nothing of what is on disk, neither when it reads
// it, nor when it leaves it to the next one, nor when it adopts it.
func TestSpoolSurvivesTooManyOpenFiles(t *testing.T) {
	const events = 400
	m := newMachine(t, WithSpoolMaxBytes(64<<10)) // segments of 4 KiB
	for range events / 20 {
		m.append(20)
		m.commit()
	}
	if n := len(m.files(segmentSuffix)); n < 4 {
		t.Fatalf("%d segments", n)
	}
	m.disk.set(func(d *faultyDisk) { d.unopened = 1 << 30 })
	taken := m.deliver() // of what is open
	if taken == events {
		t.Fatal("all files are open")
	}
	m.spool.close()
	if s := m.ledger.stats(); s.OnDisk != uint64(events-taken) || s.Dropped.Total() > 0 || s.Waiting != 0 {
		t.Errorf("after %d of %d events: %+v", taken, events, s)
	}
	for _, fails := range []int{1, 2, 3} {
		adopting := func() { m.disk.set(func(d *faultyDisk) { d.unopened = fails }) }
		starting := func() { m.disk.set(func(d *faultyDisk) { d.locking = adopting }) } // the lock of the new set
		m.disk.set(func(d *faultyDisk) { d.unopened, d.locking = 0, starting })
		m.start()
		m.spool.close()
	}
	m.disk.set(func(d *faultyDisk) { d.unopened, d.locking = 0, nil })
	m.start()
	m.spool.adoptWaiting()
	m.deliver()
	m.check("")
	if len(m.times) != events {
		t.Errorf("%d of %d events arrived", len(m.times), events)
	}
	m.empty()
}

// live does what a process does, until it crashes. It returns what it has taken and not settled.
func (m *machine) live(random *rand.Rand, held []*part) []*part {
	held = append(held, m.spool.recovered()...)
	for range 60 {
		if m.disk.crashed() {
			return held
		}
		switch random.IntN(7) {
		case 0, 1:
			m.append(1 + random.IntN(20))
		case 2, 6:
			m.commit()
		case 3:
			if p := m.spool.take(1+random.IntN(12), 4000); p != nil {
				held = append(held, p)
			}
		case 4:
			if len(held) == 0 {
				break
			}
			i := random.IntN(len(held))
			if random.IntN(3) > 0 { // otherwise the answer is lost
				m.send(held[i])
				if !m.disk.crashed() {
					m.settle(held[i])
					held = slices.Delete(held, i, i+1)
				}
			} else {
				m.send(held[i])
			}
		case 5:
			if len(held) == 0 {
				break
			}
			i := random.IntN(len(held))
			if p := held[i]; len(p.events) > 1 && !m.seen[p.id] {
				first, rest := m.spool.divide(p, 1+random.IntN(len(p.events)-1))
				held = slices.Replace(held, i, i+1, first, rest)
			}
		}
	}
	return held
}
