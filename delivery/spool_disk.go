package delivery

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// disk is what a spool needs of a file system.
type disk interface {
	// mkdir makes a directory, and those above it, if it is not there.
	mkdir(path string) error
	// network returns the type of file system that the directory is on where it is shared over a
	// network.
	network(path string) string
	list(path string) ([]fs.DirEntry, error)
	// sync makes the creation and the removal of files in a directory durable.
	sync(path string) error
	// create makes a new file, and open opens one that exists, both to be read and written.
	create(path string) (file, error)
	open(path string) (file, error)
	// lock takes the lock of a file, if nobody else has it: until the file is closed, or the
	// process ends.
	lock(f file) error
	// same reports whether the file still has that name.
	same(path string, f file) bool
	remove(path string) error
	rename(from, to string) error
}

type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Stat() (fs.FileInfo, error)
	Sync() error
	Truncate(size int64) error
}

// osDisk is the file system of the operating system.
type osDisk struct{}

const (
	directoryMode = 0o700
	fileMode      = 0o600
)

func (osDisk) mkdir(path string) error { return os.MkdirAll(path, directoryMode) }

func (osDisk) list(path string) ([]fs.DirEntry, error) { return os.ReadDir(path) }

func (osDisk) sync(path string) error {
	directory, err := os.Open(path) //nolint:gosec // the application names it
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}

func (osDisk) create(path string) (file, error) { return openFile(path, os.O_CREATE|os.O_EXCL) }

func (osDisk) open(path string) (file, error) { return openFile(path, 0) }

func openFile(path string, flag int) (file, error) {
	f, err := os.OpenFile(path, os.O_RDWR|flag, fileMode) //nolint:gosec // as above
	if err != nil {
		return nil, err // not a nil *os.File in an interface
	}
	return f, nil
}

func (osDisk) same(path string, f file) bool {
	named, err := os.Stat(path)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist) // another error says nothing about the name
	}
	opened, err := f.Stat()
	return err != nil || os.SameFile(named, opened)
}

func (osDisk) remove(path string) error { return os.Remove(path) }

func (osDisk) rename(from, to string) error { return os.Rename(from, to) }
