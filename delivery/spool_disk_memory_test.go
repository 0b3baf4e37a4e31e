package delivery

import (
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// memoryDisk is a file system without a disk below it, for tests that do very much with one. It is
// safe for concurrent use.
type memoryDisk struct {
	mu    sync.Mutex
	nodes map[string]*memoryNode // by path
}

// memoryNode is what a path leads to. It outlives its path while a file is open.
type memoryNode struct {
	content []byte
	locked  *memoryFile
}

func newMemoryDisk() *memoryDisk { return &memoryDisk{nodes: make(map[string]*memoryNode)} }

func (d *memoryDisk) mkdir(string) error    { return nil }
func (d *memoryDisk) network(string) string { return "" }
func (d *memoryDisk) sync(string) error     { return nil }
func (d *memoryDisk) create(path string) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.nodes[path] != nil {
		return nil, &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
	}
	node := &memoryNode{}
	d.nodes[path] = node
	return &memoryFile{disk: d, path: path, node: node}, nil
}

func (d *memoryDisk) open(path string) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	node := d.nodes[path]
	if node == nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return &memoryFile{disk: d, path: path, node: node}, nil
}

func (d *memoryDisk) list(path string) (entries []fs.DirEntry, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, node := range d.nodes {
		if filepath.Dir(name) == path {
			entries = append(entries, fs.FileInfoToDirEntry(memoryInfo{filepath.Base(name), int64(len(node.content))}))
		}
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

func (d *memoryDisk) lock(f file) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	m, ok := f.(*memoryFile)
	if !ok || m.node.locked != nil && m.node.locked != m {
		return fs.ErrPermission
	}
	m.node.locked = m
	return nil
}

func (d *memoryDisk) same(path string, f file) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	m, ok := f.(*memoryFile)
	return ok && d.nodes[path] == m.node
}

func (d *memoryDisk) remove(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.nodes[path] == nil {
		return &fs.PathError{Op: "remove", Path: path, Err: fs.ErrNotExist}
	}
	delete(d.nodes, path)
	return nil
}

func (d *memoryDisk) rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.nodes[from] == nil {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	d.nodes[to] = d.nodes[from]
	delete(d.nodes, from)
	return nil
}

// memoryFile is an open file of a memoryDisk.
type memoryFile struct {
	disk *memoryDisk
	path string
	node *memoryNode
}

func (f *memoryFile) ReadAt(b []byte, at int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if at >= int64(len(f.node.content)) {
		return 0, io.EOF
	}
	n := copy(b, f.node.content[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memoryFile) WriteAt(b []byte, at int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.resize(max(len(f.node.content), int(at)+len(b)))
	return copy(f.node.content[at:], b), nil
}

func (f *memoryFile) Truncate(size int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.resize(int(size))
	return nil
}

// resize cuts the content, or adds zeros.
func (f *memoryFile) resize(size int) {
	if missing := size - len(f.node.content); missing > 0 {
		f.node.content = append(f.node.content, make([]byte, missing)...)
	}
	f.node.content = f.node.content[:size]
}

func (f *memoryFile) Stat() (fs.FileInfo, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return memoryInfo{filepath.Base(f.path), int64(len(f.node.content))}, nil
}

func (f *memoryFile) Sync() error { return nil }

func (f *memoryFile) Close() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.node.locked == f {
		f.node.locked = nil
	}
	return nil
}

// memoryInfo describes a file of a memoryDisk. All of them are new.
type memoryInfo struct {
	name string
	size int64
}

func (i memoryInfo) Name() string     { return i.name }
func (memoryInfo) Mode() fs.FileMode  { return fileMode }
func (memoryInfo) ModTime() time.Time { return time.Now() }
func (memoryInfo) IsDir() bool        { return false }
func (memoryInfo) Sys() any           { return nil }
func (i memoryInfo) Size() int64      { return i.size }
