package e2e

import (
	"sync"
	"sync/atomic"

	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// pace lets a spec trigger polls: the SDK's shortest polling interval is 30 seconds. The first poll
// is not triggered.
type pace chan struct{}

// poll makes the client poll once more.
func (p pace) poll() {
	GinkgoHelper()
	Eventually(p).Should(BeSent(struct{}{}))
}

// pacedPolling creates the SDK's polling data source for each poll, which polls when it starts.
type pacedPolling struct{ pace pace }

// Build implements [subsystems.ComponentConfigurer].
func (p pacedPolling) Build(client subsystems.ClientContext) (subsystems.DataSource, error) {
	return &pacedSource{
		pace:  p.pace,
		build: func() (subsystems.DataSource, error) { return ldcomponents.PollingDataSource().Build(client) },
		ended: make(chan struct{}),
	}, nil
}

type pacedSource struct {
	pace        pace
	build       func() (subsystems.DataSource, error)
	initialized atomic.Bool
	end         sync.Once
	ended       chan struct{}
}

func (s *pacedSource) IsInitialized() bool { return s.initialized.Load() }

func (s *pacedSource) Close() error {
	s.end.Do(func() { close(s.ended) })
	return nil
}

func (s *pacedSource) Start(ready chan<- struct{}) {
	go func() {
		signal := sync.OnceFunc(func() { close(ready) })
		defer signal()
		for {
			source, err := s.build()
			if err != nil {
				return
			}
			again := s.pollWith(source, signal)
			_ = source.Close()
			if !again {
				return
			}
		}
	}()
}

// pollWith polls once and returns true when the next poll is triggered, or false at the end.
func (s *pacedSource) pollWith(source subsystems.DataSource, signal func()) bool {
	polled := make(chan struct{})
	source.Start(polled)
	for unheard := polled; ; {
		select {
		case <-unheard:
			unheard = nil
			s.initialized.CompareAndSwap(false, source.IsInitialized())
			signal()
		case <-s.pace:
			return true
		case <-s.ended:
			return false
		}
	}
}

// pacedPollingV2 is the same for a DataSystem, which creates a new synchronizer after one has
// ended.
type pacedPollingV2 struct {
	pace    pace
	polling subsystems.ComponentConfigurer[subsystems.DataSynchronizer]
}

// Build implements [subsystems.ComponentConfigurer].
func (p pacedPollingV2) Build(client subsystems.ClientContext) (subsystems.DataSynchronizer, error) {
	polling, err := p.polling.Build(client)
	return &pacedSynchronizer{DataSynchronizer: polling, pace: p.pace, ended: make(chan struct{})}, err
}

type pacedSynchronizer struct {
	subsystems.DataSynchronizer
	pace  pace
	end   sync.Once
	ended chan struct{}
}

func (s *pacedSynchronizer) Close() error {
	s.end.Do(func() { close(s.ended) })
	return s.DataSynchronizer.Close()
}

func (s *pacedSynchronizer) Sync(data subsystems.DataSelector) <-chan subsystems.DataSynchronizerResult {
	polled := s.DataSynchronizer.Sync(data)
	results := make(chan subsystems.DataSynchronizerResult)
	go func() {
		defer close(results)
		for {
			select {
			case result, ok := <-polled:
				if !ok {
					return
				}
				select {
				case results <- result:
				case <-s.ended:
					return
				}
			case <-s.pace:
				return
			case <-s.ended:
				return
			}
		}
	}()
	return results
}
