package redis

import (
	"testing"

	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/program"
	"github.com/openfeature-launchdarkly/go-provider/internal/redisserver"
)

func TestRedis(t *testing.T) {
	redisserver.Require(t)
	program.RunSpecs(t, "Provider with Redis")
}
