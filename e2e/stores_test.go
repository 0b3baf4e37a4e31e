package e2e

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoreimpl"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoretypes"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

var _ = Describe("A persistent store that fails", func() {
	// connected returns a program whose data source is up to date, and whose store has no data yet.
	connected := func() (*program, *failingStore) {
		GinkgoHelper()
		store := &failingStore{answer: make(chan struct{})}
		source := new(idleSource)
		p := newProgram(configure(func(c *ld.Config) {
			c.DataSource = source
			c.DataStore = ldcomponents.PersistentDataStore(store).NoCaching()
		}))
		source.updates.UpdateStatus(interfaces.DataSourceStateValid, interfaces.DataSourceErrorInfo{})
		return p, store
	}

	It("makes the provider ready if data arrives when the initialization is canceled", func() {
		p, store := connected()
		ctx, cancel := context.WithCancel(context.Background())
		initialized := make(chan error, 1)
		go func() { initialized <- p.api.SetProviderAndWait(ctx, p.provider) }()
		Consistently(initialized).ShouldNot(Receive())
		store.hasData.Store(true)
		cancel()
		Eventually(initialized).Should(Receive())
		Eventually(p.client.State).Should(Equal(openfeature.ReadyState))
		Consistently(p.events.of).WithArguments(openfeature.ProviderStale).Should(BeEmpty())
	})

	It("blocks neither the creation of a provider nor its initialization while it hangs", func() {
		store := &failingStore{answer: make(chan struct{})}
		store.hangs.Store(true)
		config := newBox().Config()
		config.DataSource = new(idleSource)
		config.DataStore = ldcomponents.PersistentDataStore(store).NoCaching()
		var provider *launchdarkly.Provider
		DeferCleanup(func() {
			close(store.answer)
			if provider != nil {
				shutDown(provider)
			}
		})

		made := make(chan *launchdarkly.Provider, 1)
		go func() {
			defer GinkgoRecover()
			provider, err := launchdarkly.NewProvider(launchdarklytest.ValidSDKKey, launchdarkly.WithConfig(config),
				launchdarkly.WithLogger(discard), launchdarkly.WithInitTimeout(50*time.Millisecond))
			Expect(err).NotTo(HaveOccurred())
			made <- provider
		}()
		Eventually(made).Should(Receive(&provider))
		initialized := make(chan error, 1)
		go func() { initialized <- provider.InitWithContext(waiting(), openfeature.EvaluationContext{}) }()
		Eventually(initialized).Should(Receive(MatchError(ld.ErrInitializationTimeout)))
	})

	It("makes the provider stale if another process fills it while LaunchDarkly is unreachable", func() {
		store := &failingStore{answer: make(chan struct{})}
		source := new(idleSource)
		p := newProgram(options(launchdarkly.WithInitTimeout(50*time.Millisecond)), configure(func(c *ld.Config) {
			c.DataSource = source
			c.DataStore = ldcomponents.PersistentDataStore(store).NoCaching()
		}))
		Expect(p.register()).To(MatchError(ld.ErrInitializationTimeout))
		Expect(p.client.State()).To(Equal(openfeature.ErrorState))
		store.hasData.Store(true)
		Eventually(p.client.State).Should(Equal(openfeature.StaleState))
		source.updates.UpdateStatus(interfaces.DataSourceStateValid, interfaces.DataSourceErrorInfo{})
		Eventually(p.client.State).Should(Equal(openfeature.ReadyState))
		Eventually(p.events.counter(openfeature.ProviderStale)).Should(Equal(1))
	})

	It("does not block a shutdown while it hangs", func() {
		p, store := connected()
		store.hangs.Store(true)
		DeferCleanup(func() { close(store.answer) })
		Eventually(store.hanging.Load).Should(BeTrue(), "the provider looks for data")
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		shutDown := make(chan error, 1)
		go func() { shutDown <- p.provider.ShutdownWithContext(ctx) }()
		Eventually(shutDown).Should(Receive(MatchError(context.DeadlineExceeded)))
	})
})

// failingStore is a persistent store that rejects all writes, and can hang.
type failingStore struct {
	hasData atomic.Bool
	hangs   atomic.Bool
	hanging atomic.Bool   // whether a call is blocked
	answer  chan struct{} // unblocks it
}

var errDown = errors.New("down")

func (s *failingStore) Build(subsystems.ClientContext) (subsystems.PersistentDataStore, error) {
	return s, nil
}

func (s *failingStore) IsInitialized() bool {
	if s.hangs.Load() {
		s.hanging.Store(true)
		<-s.answer
	}
	return s.hasData.Load()
}

func (*failingStore) Init([]ldstoretypes.SerializedCollection) error { return errDown }

func (*failingStore) Get(ldstoretypes.DataKind, string) (ldstoretypes.SerializedItemDescriptor, error) {
	return ldstoretypes.SerializedItemDescriptor{}, errDown
}

func (*failingStore) GetAll(ldstoretypes.DataKind) ([]ldstoretypes.KeyedSerializedItemDescriptor, error) {
	return nil, errDown
}

func (*failingStore) Upsert(ldstoretypes.DataKind, string, ldstoretypes.SerializedItemDescriptor) (bool, error) {
	return false, errDown
}

func (*failingStore) IsStoreAvailable() bool { return true }
func (*failingStore) Close() error           { return nil }

// idleSource is a data source that the spec controls.
type idleSource struct {
	updates subsystems.DataSourceUpdateSink
}

func (s *idleSource) Build(client subsystems.ClientContext) (subsystems.DataSource, error) {
	s.updates = client.GetDataSourceUpdateSink()
	return s, nil
}

// interrupt reports the status that the SDK has for a refused stream.
func (s *idleSource) interrupt() {
	s.updates.UpdateStatus(interfaces.DataSourceStateInterrupted, interfaces.DataSourceErrorInfo{
		Kind: interfaces.DataSourceErrorKindErrorResponse, StatusCode: 401, Time: time.Now(),
	})
}

// connect delivers a flag.
func (s *idleSource) connect(key, value string) {
	flag := ldbuilders.NewFlagBuilder(key).Version(1).On(true).Variations(ldvalue.String(value)).
		FallthroughVariation(0).Build()
	s.updates.Init([]ldstoretypes.Collection{{
		Kind: ldstoreimpl.Features(), Items: itemsOf([]ldmodel.FeatureFlag{flag}),
	}})
	s.updates.UpdateStatus(interfaces.DataSourceStateValid, interfaces.DataSourceErrorInfo{})
}

func (*idleSource) IsInitialized() bool   { return false }
func (*idleSource) Close() error          { return nil }
func (*idleSource) Start(chan<- struct{}) {}

// As of go-server-sdk 7.17, a refused SDK key does not end a connection: it is interrupted, and
// retried. A DataSystem is interrupted also before its first connection.
var _ = DescribeTable("A connection that is refused at first and succeeds later",
	func(refused func(*idleSource)) {
		source := new(idleSource)
		p := newProgram(options(launchdarkly.WithInitTimeout(50*time.Millisecond)),
			configure(func(c *ld.Config) { c.DataSource = source }))
		refused(source)
		err := p.register()
		Expect(err).To(MatchError(ld.ErrInitializationTimeout))
		Expect(err).To(MatchError(ContainSubstring("ERROR_RESPONSE(401)")))
		Consistently(p.client.State).WithTimeout(300 * time.Millisecond).Should(Equal(openfeature.ErrorState))
		Expect(value(p.client)).To(Equal("default"))

		source.connect("flag", "a")
		Eventually(p.client.State).Should(Equal(openfeature.ReadyState))
		Expect(value(p.client)).To(Equal("a"))

		refused(source)
		Eventually(p.client.State).Should(Equal(openfeature.StaleState))
		Expect(value(p.client)).To(Equal("a"))
		Eventually(p.events.counter(openfeature.ProviderStale)).Should(Equal(1)) // handlers run in separate goroutines
		Expect(p.events.of(openfeature.ProviderStale)[0].Message).To(ContainSubstring("ERROR_RESPONSE(401)"))
		Eventually(p.events.counter(openfeature.ProviderError)).Should(Equal(1))
	},
	Entry("is an error while the SDK is initializing", (*idleSource).interrupt),
	Entry("is an error after the SDK was connected", func(s *idleSource) {
		s.updates.UpdateStatus(interfaces.DataSourceStateValid, interfaces.DataSourceErrorInfo{}) // leaves INITIALIZING
		s.interrupt()
	}),
)

var _ = Describe("A DataSystem without synchronizers", func() {
	It("fails the initialization permanently if it has no fallback", func() {
		p := newProgram(configure(func(c *ld.Config) {
			c.DataSystem = ldcomponents.DataSystem().Custom().Initializers(fallingBack{})
		}), options(launchdarkly.WithInitTimeout(patience)))
		Expect(p.register()).To(MatchError(ContainSubstring("ended for good")))
		Expect(p.client.State()).To(Equal(openfeature.FatalState))
	})
})

// fallingBack is an initializer that LaunchDarkly directs to its first protocol.
type fallingBack struct{}

func (f fallingBack) Build(subsystems.ClientContext) (subsystems.DataInitializer, error) {
	return f, nil
}

func (fallingBack) Name() string { return "falling back" }

//nolint:revive // the SDK's interface has the context as the second parameter
func (fallingBack) Fetch(subsystems.DataSelector, context.Context) (*subsystems.Basis, bool, error) {
	return nil, true, errDown
}
