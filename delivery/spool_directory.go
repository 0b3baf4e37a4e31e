package delivery

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"
)

// errSpoolGone means that a file of the spool was removed or replaced by somebody else.
var errSpoolGone = errors.New("the spool's files were removed")

// The files of a spool's directory. A set's name begins with its environment.
const (
	lockSuffix    = ".lock"    // <set>.lock
	segmentSuffix = ".log"     // <set>-<number>.log
	damagedSuffix = ".damaged" // <set>-<number>.log.damaged: set aside
	nameTries     = 10         // for a set's name that nobody else takes
	maxCommit     = 4 << 20    // bytes that are written before an fsync, and the size from which on a segment is full
	// abandonedAfter is how long files are kept that nobody here can deliver.
	abandonedAfter = 30 * 24 * time.Hour
)

// set is the segments of a process, which have its name. Only the process that has the lock reads
// or writes them.
type set struct {
	name string
	lock file
}

// directory is a spool's directory, which other processes use too.
type directory struct {
	path         string
	environment  string
	schema       string
	segmentBytes int64
	disk         disk
}

func newDirectory(s spoolSettings) *directory {
	return &directory{
		path: s.directory, environment: s.environment, schema: s.schema, disk: s.disk,
		segmentBytes: min(maxCommit, max(int64(s.maxBytes)/16, 1)),
	}
}

// environmentOf returns what sets of an SDK key have in their names.
func environmentOf(sdkKey string) string {
	sum := sha256.Sum256([]byte("LaunchDarkly event spool\x00" + sdkKey))
	return hex.EncodeToString(sum[:8])
}

func (d *directory) lockPath(set string) string { return filepath.Join(d.path, set+lockSuffix) }

func (d *directory) segmentPath(set string, number uint32) string {
	return filepath.Join(d.path, fmt.Sprintf("%s-%08d%s", set, number, segmentSuffix))
}

// create makes a new set. Whoever finds its lock before it is taken may take it for one that was
// left behind, and remove it: then another name is tried.
func (d *directory) create() (w *set, err error) {
	if err := d.disk.mkdir(d.path); err != nil {
		return nil, err
	}
	for range nameTries {
		random := make([]byte, 8)
		_, _ = rand.Read(random) // it never fails
		w = &set{name: d.environment + "-" + hex.EncodeToString(random)}
		if w.lock, err = d.disk.create(d.lockPath(w.name)); err != nil {
			return nil, err
		}
		if err = d.locked(w); err == nil {
			return w, nil
		}
		if errors.Is(err, errors.ErrUnsupported) {
			_ = d.disk.remove(d.lockPath(w.name))
			break
		}
	}
	return nil, err
}

// locked takes the lock of a set, of which the file is open. It fails where somebody else has it,
// or has removed it.
func (d *directory) locked(w *set) error {
	err := d.disk.lock(w.lock)
	if err == nil && !d.named(w) {
		err = errSpoolGone
	}
	if err != nil {
		_ = w.lock.Close()
	}
	return err
}

// named reports whether another process would find the lock of a set.
func (d *directory) named(w *set) bool { return d.disk.same(d.lockPath(w.name), w.lock) }

// inherit takes the lock of a set that another process left behind, and returns what is there. It
// fails where that process is alive.
func (d *directory) inherit(name string) (w *set, of *listing, err error) {
	w = &set{name: name}
	if w.lock, err = d.disk.open(d.lockPath(name)); errors.Is(err, fs.ErrNotExist) {
		w.lock, err = d.disk.create(d.lockPath(name)) // somebody removed it
	}
	if err != nil {
		return nil, nil, err
	}
	if err := d.locked(w); err != nil {
		return nil, nil, err
	}
	listed, err := d.list()
	if err != nil {
		return nil, nil, errors.Join(err, w.lock.Close())
	}
	if of = listed[name]; of == nil {
		of = &listing{}
	}
	return w, of, nil
}

// remove removes the lock of a set that has no segments.
func (d *directory) remove(w *set) error {
	return errors.Join(d.disk.remove(d.lockPath(w.name)), w.lock.Close())
}

// listing is what is in the directory of a set.
type listing struct {
	lock     bool
	segments map[uint32]int64 // sizes by number
	bytes    int64
	modified time.Time
	aside    []string // files that were set aside
}

func (l *listing) onlyAside() bool { return !l.lock && len(l.segments) == 0 }

// list returns what is in the directory, by set. Files that are none of a spool are ignored.
func (d *directory) list() (map[string]*listing, error) {
	entries, err := d.disk.list(d.path)
	if err != nil {
		return nil, err
	}
	sets := make(map[string]*listing)
	for _, entry := range entries {
		name, aside := strings.CutSuffix(entry.Name(), damagedSuffix)
		name, isLock := strings.CutSuffix(name, lockSuffix)
		name, isSegment := strings.CutSuffix(name, segmentSuffix)
		number := uint32(0)
		if isSegment {
			at := max(strings.LastIndexByte(name, '-'), 0)
			if _, err := fmt.Sscanf(name[at:], "-%d", &number); err != nil {
				continue
			}
			name = name[:at]
		}
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || !isLock && !isSegment || strings.Count(name, "-") != 1 {
			continue
		}
		of := sets[name]
		if of == nil {
			of = &listing{segments: make(map[uint32]int64)}
			sets[name] = of
		}
		of.bytes += info.Size()
		if info.ModTime().After(of.modified) {
			of.modified = info.ModTime()
		}
		switch {
		case isLock:
			of.lock = true
		case aside:
			of.aside = append(of.aside, entry.Name())
		case isSegment:
			of.segments[number] = info.Size()
		}
	}
	return sets, nil
}

// discard removes what nobody here can deliver and has not been written to for long. It returns
// whether it did.
func (d *directory) discard(name string, of *listing) bool {
	if time.Since(of.modified) < abandonedAfter {
		return false
	}
	w, of, err := d.inherit(name)
	if err != nil {
		return false
	}
	for number := range of.segments {
		err = errors.Join(err, d.disk.remove(d.segmentPath(name, number)))
	}
	for _, aside := range of.aside {
		err = errors.Join(err, d.disk.remove(filepath.Join(d.path, aside)))
	}
	if err != nil {
		_ = w.lock.Close()
		return false
	}
	return d.remove(w) == nil
}
