package redis

import (
	"errors"
	"net"
	"os/exec"
	"strconv"

	"github.com/gomodule/redigo/redis"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// server is a redis-server that a spec starts and stops. It forgets everything when it stops.
type server struct {
	port    int
	dir     string
	process *exec.Cmd // nil while it is stopped
	ended   chan struct{}
}

// newServer has an address, but is not started.
func newServer() *server {
	GinkgoHelper()
	s := &server{port: freePort(), dir: GinkgoT().TempDir()}
	DeferCleanup(s.stop)
	return s
}

// startServer has one that runs. A port that somebody else has taken meanwhile is another one's the next time.
func startServer() *server {
	GinkgoHelper()
	s := newServer()
	for range 5 {
		if s.try() {
			return s
		}
		s.port = freePort()
	}
	Fail("redis-server does not start")
	return nil
}

func freePort() int {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func (s *server) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// start starts it at the address that it has.
func (s *server) start() {
	GinkgoHelper()
	Eventually(s.try).Should(BeTrue(), "redis-server does not start")
}

// try reports whether it runs and answers.
func (s *server) try() bool {
	GinkgoHelper()
	s.process = exec.Command("redis-server", "--bind", "127.0.0.1", "--port", strconv.Itoa(s.port), "--dir", s.dir,
		"--save", "", "--appendonly", "no", "--daemonize", "no")
	s.process.Stdout, s.process.Stderr = GinkgoWriter, GinkgoWriter
	Expect(s.process.Start()).To(Succeed())
	ended, process := make(chan struct{}), s.process
	s.ended = ended
	go func() {
		defer close(ended)
		_ = process.Wait() // killed, as a rule
	}()
	answers := false
	Eventually(func() bool {
		select {
		case <-ended:
			return true
		default:
			answers = s.ping() == nil
			return answers
		}
	}).Should(BeTrue())
	if !answers {
		s.process = nil
	}
	return answers
}

func (s *server) ping() error {
	_, err := s.do("PING")
	return err
}

// do sends a command past the SDK.
func (s *server) do(command string, args ...any) (any, error) {
	connection, err := redis.Dial("tcp", s.address(), redis.DialConnectTimeout(patience), redis.DialReadTimeout(patience))
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	return connection.Do(command, args...)
}

// flag is a flag's JSON as it is kept, empty when there is none.
func (s *server) flag(key string) string {
	GinkgoHelper()
	text, err := redis.String(s.do("HGET", prefix+":features", key))
	if !errors.Is(err, redis.ErrNil) {
		Expect(err).NotTo(HaveOccurred())
	}
	return text
}

// stop cuts all connections, and forgets everything.
func (s *server) stop() {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Kill() // it may have ended
	<-s.ended
	s.process = nil
}
