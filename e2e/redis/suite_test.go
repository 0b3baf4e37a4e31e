package redis

import (
	"testing"

	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/suite"
	"github.com/openfeature-launchdarkly/go-provider/internal/redisserver"
)

func TestRedis(t *testing.T) {
	redisserver.Require(t)
	suite.RunSpecs(t, "Provider with Redis")
}
