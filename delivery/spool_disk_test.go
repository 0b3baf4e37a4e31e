package delivery

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

var errCrashed = errors.New("the machine is down")

// faultyDisk is a file system with faults. It is safe for concurrent use.
type faultyDisk struct {
	disk
	mu       sync.Mutex
	ops      int            // operations so far that change something
	crashAt  int            // after so many, everything fails as if the process had been killed; 0 for never
	torn     int            // how many bytes the write at which it crashes still writes
	fail     error          // what changes fail with
	failAt   int            // operations until then
	failures int            // how many fail; 0 for all
	unopened int            // how many opens fail because the process has too many files
	full     int64          // bytes that may still be written; 0 for no limit
	slow     time.Duration  // for each fsync
	syncs    int            // that have begun
	locking  func()         // called once, before a lock is taken
	fast     bool           // without fsync
	files    []*faultyFile  // that are open
	synced   map[string]int // sizes that are durable, by path; of files that a sync of the directory has made durable
	created  map[string]bool
	removed  map[string]bool // renamed until a sync of the directory
}

// newFaultyDisk adds faults to the operating system's file system.
func newFaultyDisk() *faultyDisk { return addFaults(osDisk{}) }

func addFaults(d disk) *faultyDisk {
	return &faultyDisk{disk: d, fast: true, synced: map[string]int{}, created: map[string]bool{}, removed: map[string]bool{}}
}

const removedSuffix = ".removed"

// change counts an operation, and returns the error that it is to fail with.
func (d *faultyDisk) change() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.crashAt > 0 && d.ops >= d.crashAt {
		d.torn = 0 // after the crash, nothing is written
		return errCrashed
	}
	d.ops++
	if d.fail == nil || d.ops < d.failAt {
		return nil
	}
	err := d.fail
	if d.failures > 0 {
		if d.failures--; d.failures == 0 {
			d.fail = nil
		}
	}
	return err
}

func (d *faultyDisk) crashed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.crashAt > 0 && d.ops >= d.crashAt
}

func (d *faultyDisk) set(change func(d *faultyDisk)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d)
}

// restart ends the process: its locks are free. With a loss of power, what was not synced is gone
// as well.
func (d *faultyDisk) restart(powerLoss bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.files {
		_ = f.file.Close()
	}
	d.files, d.crashAt, d.ops, d.fail, d.full, d.unopened = nil, 0, 0, nil, 0, 0
	for path := range d.removed {
		if powerLoss {
			_ = d.disk.rename(path+removedSuffix, path)
		} else {
			_ = d.disk.remove(path + removedSuffix)
		}
	}
	clear(d.removed)
	if !powerLoss {
		return
	}
	for path := range d.created {
		_ = d.disk.remove(path)
	}
	clear(d.created)
	for path, size := range d.synced {
		f, err := d.disk.open(path)
		if err != nil {
			continue // it was removed
		}
		if info, err := f.Stat(); err == nil && info.Size() > int64(size) {
			_ = f.Truncate(int64(size))
		}
		_ = f.Close()
	}
}

func (d *faultyDisk) mkdir(path string) error { return errors.Join(d.change(), d.disk.mkdir(path)) }

func (d *faultyDisk) sync(path string) error {
	if err := d.change(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.created)
	for removed := range d.removed {
		_ = d.disk.remove(removed + removedSuffix)
	}
	clear(d.removed)
	if d.fast {
		return nil
	}
	return d.disk.sync(path)
}

func (d *faultyDisk) create(path string) (file, error) {
	if err := d.change(); err != nil {
		return nil, err
	}
	f, err := d.keep(path, d.disk.create)
	if err == nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.created[path], d.synced[path] = true, 0
	}
	return f, err
}

func (d *faultyDisk) open(path string) (file, error) {
	if d.crashed() {
		return nil, errCrashed
	}
	d.mu.Lock()
	fails := d.unopened > 0
	if fails {
		d.unopened--
	}
	d.mu.Unlock()
	if fails {
		return nil, &fs.PathError{Op: "open", Path: path, Err: syscall.EMFILE}
	}
	return d.keep(path, d.disk.open)
}

func (d *faultyDisk) keep(path string, open func(string) (file, error)) (file, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	faulty := &faultyFile{file: f, disk: d, path: path}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files = append(d.files, faulty)
	return faulty, nil
}

func (d *faultyDisk) lock(f file) error {
	if faulty, ok := f.(*faultyFile); ok {
		d.mu.Lock()
		locking := d.locking
		d.locking = nil
		d.mu.Unlock()
		if locking != nil {
			locking()
		}
		return d.disk.lock(faulty.file)
	}
	return errors.ErrUnsupported
}

func (d *faultyDisk) same(path string, f file) bool {
	faulty, ok := f.(*faultyFile)
	return ok && d.disk.same(path, faulty.file)
}

func (d *faultyDisk) remove(path string) error {
	if err := d.change(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !strings.HasSuffix(path, segmentSuffix) { // a lock that comes back is an empty set
		return d.disk.remove(path)
	}
	err := d.disk.rename(path, path+removedSuffix)
	if err == nil {
		d.removed[path] = true
	}
	return err
}

// rename renames a file, which a loss of power does not undo.
func (d *faultyDisk) rename(from, to string) error {
	if err := d.change(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.files {
		if f.path == from {
			f.path = to
		}
	}
	if size, ok := d.synced[from]; ok {
		d.synced[to] = size
		delete(d.synced, from)
	}
	return d.disk.rename(from, to)
}

// faultyFile is a file of a faultyDisk.
type faultyFile struct {
	file
	disk *faultyDisk
	path string
}

func (f *faultyFile) WriteAt(b []byte, at int64) (int, error) {
	f.disk.mu.Lock()
	torn := f.disk.torn
	f.disk.mu.Unlock()
	if err := f.disk.change(); err != nil {
		n := 0
		if errors.Is(err, errCrashed) {
			n = min(torn, len(b))
			_, _ = f.file.WriteAt(b[:n], at)
		}
		return n, err
	}
	f.disk.mu.Lock()
	full := f.disk.full
	if full > 0 {
		f.disk.full = max(full-int64(len(b)), 1)
	}
	f.disk.mu.Unlock()
	if full > 0 && int64(len(b)) > full {
		n, _ := f.file.WriteAt(b[:full], at)
		return n, errors.New("no space left on device")
	}
	return f.file.WriteAt(b, at)
}

func (f *faultyFile) ReadAt(b []byte, at int64) (int, error) {
	if f.disk.crashed() {
		return 0, errCrashed
	}
	return f.file.ReadAt(b, at)
}

func (f *faultyFile) Sync() error {
	if err := f.disk.change(); err != nil {
		return err
	}
	f.disk.mu.Lock()
	f.disk.syncs++
	slow, fast := f.disk.slow, f.disk.fast
	f.disk.mu.Unlock()
	time.Sleep(slow)
	if info, err := f.file.Stat(); err == nil {
		f.disk.mu.Lock()
		f.disk.synced[f.path] = int(info.Size())
		f.disk.mu.Unlock()
	}
	if fast {
		return nil
	}
	return f.file.Sync()
}

func (f *faultyFile) Truncate(size int64) error {
	if err := f.disk.change(); err != nil {
		return err
	}
	return f.file.Truncate(size)
}

func (f *faultyFile) Stat() (fs.FileInfo, error) { return f.file.Stat() }

func (f *faultyFile) Close() error {
	if f.disk.crashed() {
		return errCrashed // restart does
	}
	return f.file.Close()
}

// segments returns the paths of a directory's segments.
func segmentsOf(directory string) []string {
	paths, _ := filepath.Glob(filepath.Join(directory, "*"+segmentSuffix))
	return paths
}
