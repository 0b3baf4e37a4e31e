package redis

import (
	"errors"

	"github.com/gomodule/redigo/redis"
	ldredis "github.com/launchdarkly/go-server-sdk-redis-redigo/v3"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/program"
	"github.com/openfeature-launchdarkly/go-provider/internal/redisserver"
)

// Where LaunchDarkly documents that flags are kept.
const (
	prefix      = "launchdarkly"
	featuresKey = prefix + ":features"
	initedKey   = prefix + ":$inited"
)

// server is a redis-server that specs can look into. It forgets everything when it stops.
type server struct{ *redisserver.Server }

func startServer() *server {
	GinkgoHelper()
	s, err := redisserver.Start(program.Waiting())
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(s.Stop)
	return &server{s}
}

// stoppedServer has an address where nobody answers, until it is started.
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

// stored makes a client keep its flags in the Redis, under the SDK's cache.
func stored(s *server) *ldcomponents.PersistentDataStoreBuilder {
	return ldcomponents.PersistentDataStore(ldredis.DataStore().URL(s.URL()))
}

// do sends a command past the SDK.
func (s *server) do(command string, args ...any) (any, error) {
	connection, err := redis.DialURL(s.URL(), redis.DialConnectTimeout(program.Patience), redis.DialReadTimeout(program.Patience))
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	return connection.Do(command, args...)
}

// flag is a flag's JSON as it is kept, empty when there is none.
func (s *server) flag(key string) string {
	GinkgoHelper()
	text, err := redis.String(s.do("HGET", featuresKey, key))
	if !errors.Is(err, redis.ErrNil) {
		Expect(err).NotTo(HaveOccurred())
	}
	return text
}
