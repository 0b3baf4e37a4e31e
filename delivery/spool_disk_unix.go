//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package delivery

import (
	"errors"
	"os"
	"syscall"
)

func (osDisk) lock(f file) error {
	opened, ok := f.(*os.File)
	if !ok {
		return errors.ErrUnsupported
	}
	for {
		err := syscall.Flock(int(opened.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// passing reports whether an error says nothing about the file: another attempt may succeed.
func passing(err error) bool { return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) }
