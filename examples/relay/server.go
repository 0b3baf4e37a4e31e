package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/gomodule/redigo/redis"
)

// errNoRedis says that there is nothing to start.
var errNoRedis = errors.New("redis-server is not installed here")

// startRedis starts a Redis of our own on this machine, which keeps nothing. stop ends it.
func startRedis(ctx context.Context) (url string, stop func(), err error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return "", nil, errNoRedis
	}
	const attempts = 5 // somebody else can take the port that was free
	for range attempts {
		if url, stop, err = tryRedis(ctx, program); err == nil {
			return url, stop, nil
		}
	}
	return "", nil, fmt.Errorf("redis-server does not start: %w", err)
}

func tryRedis(ctx context.Context, program string) (url string, stop func(), err error) {
	port, err := freePort(ctx)
	if err != nil {
		return "", nil, err
	}
	directory, err := os.MkdirTemp("", "redis-")
	if err != nil {
		return "", nil, err
	}
	//nolint:gosec // the program is the redis-server of this machine
	command := exec.CommandContext(ctx, program, "--bind", "127.0.0.1", "--port", strconv.Itoa(port),
		"--save", "", "--appendonly", "no", "--dir", directory)
	if err := command.Start(); err != nil {
		_ = os.RemoveAll(directory)
		return "", nil, err
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = command.Wait()
	}()
	stop = func() {
		_ = command.Process.Kill()
		<-exited
		_ = os.RemoveAll(directory)
	}
	url = fmt.Sprintf("redis://127.0.0.1:%d", port)
	if err := awaitRedis(ctx, url, exited); err != nil {
		stop()
		return "", nil, err
	}
	return url, stop, nil
}

// awaitRedis waits until the server answers, or has exited.
func awaitRedis(ctx context.Context, url string, exited <-chan struct{}) error {
	for {
		if c, err := redis.DialURLContext(ctx, url); err == nil {
			_, err = c.Do("PING")
			_ = c.Close()
			if err == nil {
				return nil
			}
		}
		select {
		case <-exited:
			return errors.New("it has exited")
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func freePort(ctx context.Context) (int, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("no TCP address: %s", listener.Addr())
	}
	return address.Port, nil
}
