package redis

import (
	"errors"

	"github.com/gomodule/redigo/redis"
	ldredis "github.com/launchdarkly/go-server-sdk-redis-redigo/v3"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/program"
	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/suite"
	"github.com/openfeature-launchdarkly/go-provider/internal/redisserver"
)

// The keys under which LaunchDarkly's Redis store documents flags.
const (
	prefix      = "launchdarkly"
	featuresKey = prefix + ":features"
	initedKey   = prefix + ":$inited"
)

// server is a redis-server that specs can query. It loses all data when it stops.
type server struct{ *redisserver.Server }

func startServer() *server {
	GinkgoHelper()
	s, err := redisserver.Start(program.Waiting())
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(s.Stop)
	return &server{s}
}

// stoppedServer returns a server that is not running until it is started.
func stoppedServer() *server {
	GinkgoHelper()
	s := startServer()
	s.Stop()
	return s
}

// start starts it again.
func (s *server) start() {
	GinkgoHelper()
	Expect(s.Start(program.Waiting())).To(Succeed())
}

// stored configures Redis as the persistent store.
func stored(s *server) *ldcomponents.PersistentDataStoreBuilder {
	return ldcomponents.PersistentDataStore(ldredis.DataStore().URL(s.URL()))
}

// do sends a command directly, without the SDK.
func (s *server) do(command string, args ...any) (any, error) {
	connection, err := redis.DialURL(s.URL(), redis.DialConnectTimeout(suite.Patience), redis.DialReadTimeout(suite.Patience))
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	return connection.Do(command, args...)
}

// flag returns the stored JSON of a flag, or an empty string if there is none.
func (s *server) flag(key string) string {
	GinkgoHelper()
	text, err := redis.String(s.do("HGET", featuresKey, key))
	if !errors.Is(err, redis.ErrNil) {
		Expect(err).NotTo(HaveOccurred())
	}
	return text
}
