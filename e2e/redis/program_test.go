package redis

import (
	ld "github.com/launchdarkly/go-server-sdk/v7"
	. "github.com/onsi/ginkgo/v2"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/program"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// app is an application with its own LaunchDarkly.
type app struct {
	*program.Program
	box *launchdarklytest.Server
}

// newProgram returns a program whose provider is not registered yet.
func newProgram(box *launchdarklytest.Server, change func(*ld.Config), options ...launchdarkly.Option) app {
	GinkgoHelper()
	return app{program.New(changed(box, change), options...), box}
}

// start returns a program with a registered provider.
func start(box *launchdarklytest.Server, change func(*ld.Config)) app {
	GinkgoHelper()
	return app{program.Start(changed(box, change)), box}
}

func changed(box *launchdarklytest.Server, change func(*ld.Config)) ld.Config {
	config := box.Config()
	change(&config)
	return config
}

// storeAvailable returns the store status of LaunchDarkly's SDK.
func (a app) storeAvailable() bool {
	return a.Provider.Client().GetDataStoreStatusProvider().GetStatus().Available
}
