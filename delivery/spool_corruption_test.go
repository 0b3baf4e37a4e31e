package delivery

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// specimen is the only segment of a set, which a process left behind: events that were settled,
// events of a request that was not, one that was divided, and events in no request.
func specimen(t testing.TB) (name string, content []byte, settled map[int]bool) {
	t.Helper()
	m := newMachine(t)
	settled = map[int]bool{}
	m.append(40)
	m.commit()
	p := m.spool.take(10, 1<<20)
	for i := range p.events {
		settled[m.number(&p.events[i])] = true
	}
	m.settle(p)
	p = m.spool.take(10, 1<<20)
	m.spool.divide(p, 4)
	m.spool.take(5, 1<<20)
	m.append(10)
	m.commit()
	m.disk.set(func(d *faultyDisk) { d.crashAt = d.ops })
	m.disk.restart(false)
	paths := m.files(segmentSuffix)
	if len(paths) != 1 {
		t.Fatalf("%v", paths)
	}
	return filepath.Base(paths[0]), m.read(paths[0]), settled
}

// recoverFrom starts a process with a directory that has only this segment, has it deliver, and
// returns it once it has ended.
func recoverFrom(t testing.TB, d disk, directory, name string, content []byte) *machine {
	t.Helper()
	m := newMachineWith(t, addFaults(d), directory)
	m.write(filepath.Join(directory, name), content)
	m.start()
	m.deliver()
	m.spool.close()
	m.disk.restart(false)
	return m
}

// numbers returns the numbers of the events whose records are whole in a segment.
func numbers(content []byte) map[int]bool {
	found := map[int]bool{}
	for line := range bytes.Lines(content) {
		var n int
		if _, after, ok := strings.Cut(string(line), `"metricValue":`); ok && line[len(line)-1] == '\n' {
			if _, err := fmt.Sscanf(after, "%d", &n); err == nil {
				found[n] = true
			}
		}
	}
	return found
}

// salvaged checks that all events arrived whose records are as they were, and nothing that was not
// there.
func salvaged(t testing.TB, what string, m *machine, original, damaged []byte, settled map[int]bool) {
	t.Helper()
	whole := map[string]bool{}
	for line := range bytes.Lines(damaged) {
		whole[string(line)] = true
	}
	all := map[int]bool{}
	for line := range bytes.Lines(original) {
		for n := range numbers(line) {
			all[n] = true
			if whole[string(line)] && !settled[n] && m.times[n] != 1 {
				t.Errorf("%s: event %d arrived %d times", what, n, m.times[n])
			}
		}
	}
	for n := range m.times {
		if !all[n] {
			t.Errorf("%s: event %d arrived, which was not there", what, n)
		}
	}
	for _, path := range m.files("") {
		if !strings.HasSuffix(path, damagedSuffix) {
			t.Errorf("%s: left %s", what, path)
		}
		_ = m.disk.remove(path)
	}
}

func TestSpoolIsTruncatedAtAnyByte(t *testing.T) {
	t.Parallel()
	name, content, settled := specimen(t)
	step := 1
	if testing.Short() {
		step = 17
	}
	for n := 0; n < len(content); n += step {
		m := recoverFrom(t, newMemoryDisk(), "/spool", name, content[:n])
		salvaged(t, fmt.Sprintf("cut at %d", n), m, content, content[:n], settled)
	}
}

func TestSpoolHasAnyBitFlipped(t *testing.T) {
	t.Parallel()
	name, content, settled := specimen(t)
	step := 1
	if testing.Short() {
		step = 17
	}
	for n := 0; n < len(content); n += step {
		damaged := bytes.Clone(content)
		damaged[n] ^= 1 << (n % 8)
		m := recoverFrom(t, newMemoryDisk(), "/spool", name, damaged)
		salvaged(t, fmt.Sprintf("a bit of byte %d", n), m, content, damaged, settled)
	}
}

func TestSpoolIsCorruptedAtRandom(t *testing.T) {
	t.Parallel()
	name, content, settled := specimen(t)
	directory := t.TempDir()
	times := 3000
	if testing.Short() {
		times = 300
	}
	for seed := range uint64(times) {
		damaged := corrupt(content, rand.New(rand.NewPCG(seed, 2)))
		var m *machine
		if seed < 100 {
			m = recoverFrom(t, osDisk{}, directory, name, damaged)
		} else {
			m = recoverFrom(t, newMemoryDisk(), "/spool", name, damaged)
		}
		salvaged(t, fmt.Sprintf("seed %d", seed), m, content, damaged, settled)
	}
}

// corrupt damages a file, as disks and people do.
func corrupt(content []byte, random *rand.Rand) []byte {
	damaged := bytes.Clone(content)
	for range 1 + random.IntN(3) {
		if len(damaged) == 0 {
			break
		}
		const page = 512
		at := random.IntN(len(damaged))
		end := min(at/page*page+page, len(damaged))
		switch random.IntN(6) {
		case 0:
			damaged = damaged[:at]
		case 1:
			damaged[at] ^= 1 << random.IntN(8)
		case 2:
			clear(damaged[at/page*page : end])
		case 3:
			for i := at / page * page; i < end; i++ {
				damaged[i] = byte(random.Uint32())
			}
		case 4: // a page of elsewhere
			copy(damaged[at/page*page:end], content[random.IntN(len(content)):])
		case 5: // zeros at the end
			damaged = append(damaged, make([]byte, random.IntN(2*page))...)
		}
	}
	return damaged
}

func TestSpoolCountsAndKeepsDamagedRecords(t *testing.T) {
	name, content, _ := specimen(t)
	at := bytes.Index(content, []byte(`"metricValue":33`))
	damaged := bytes.Clone(content)
	damaged[at+3] ^= 1
	m := recoverFrom(t, osDisk{}, t.TempDir(), name, damaged)
	if n := m.ledger.stats().Dropped.Damaged; n != 1 {
		t.Errorf("%d events are counted as damaged", n)
	}
	setAside := m.files(damagedSuffix)
	if len(setAside) != 1 {
		t.Fatalf("set aside: %v", setAside)
	}
	kept := setAside[0]
	aside, err := os.ReadFile(kept)
	if err != nil || !bytes.HasPrefix(aside, damaged) { // after it is what became of the others
		t.Errorf("set aside: %d bytes, %v", len(aside), err)
	}
	m.start()
	if _, err := os.Stat(kept); err != nil || m.ledger.stats().Adopted > 0 {
		t.Errorf("a later process finds it: %v, %+v", err, m.ledger.stats())
	}
	select {
	case <-m.spool.vacancy:
		t.Error("it would look again at once")
	default:
	}
	m.spool.close()
	old := time.Now().Add(-abandonedAfter)
	if err := os.Chtimes(kept, old, old); err != nil {
		t.Fatal(err)
	}
	m.start()
	if _, err := os.Stat(kept); err == nil {
		t.Error("it is kept for ever")
	}
	m.spool.close()
}

func TestSpoolLeavesALaterFormatAlone(t *testing.T) {
	name, content, _ := specimen(t)
	_, events, _ := bytes.Cut(content, []byte("\n"))
	later := append(appendRecord(nil, recordSpool, spoolHeader{Version: spoolVersion + 1}), events...)
	m := recoverFrom(t, newMemoryDisk(), "/spool", name, later)
	if len(m.times) > 0 {
		t.Errorf("%d events arrived", len(m.times))
	}
	if kept := m.read(filepath.Join(m.directory, name)); !bytes.Equal(kept, later) {
		t.Errorf("%d of %d bytes are left", len(kept), len(later))
	}
}

// Whatever is in a segment, also with valid checksums, a process starts and goes on.
func FuzzSpool(f *testing.F) {
	name, content, _ := specimen(f)
	f.Add(content, false)
	f.Add(content[:len(content)/2], true)
	f.Add([]byte(`event 1 1 custom {"kind":"custom"}`+"\n"+`request {"id":"x","from":1,"to":18446744073709551615}`), true)
	f.Add([]byte(`spool {"version":1,"schema":"","first":9223372036854775808,"after":7}`+"\n"+`event 0 0 summary x`), true)
	f.Fuzz(func(t *testing.T, content []byte, seal bool) {
		if seal { // each line becomes a record
			var records []byte
			for line := range bytes.Lines(content) {
				begin := len(records)
				records = append(records, make([]byte, recordHeader)...)
				records = append(records, bytes.TrimSuffix(line, []byte("\n"))...)
				records = sealRecord(records, begin)
			}
			content = records
		}
		m := newMachineWith(t, addFaults(newMemoryDisk()), "/spool")
		m.write(filepath.Join(m.directory, name), content)
		m.start()
		for p := m.spool.take(7, 1<<20); p != nil; p = m.spool.take(7, 1<<20) {
			m.settle(p)
		}
		for _, p := range m.spool.recovered() {
			if len(p.events) > 1 {
				p, _ = m.spool.divide(p, 1)
			}
			m.settle(p)
		}
		m.spool.close()
	})
}
