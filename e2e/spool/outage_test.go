package spool

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/e2e/internal/suite"
)

// counter is an events service that keeps no events, so that it can receive millions. It checks
// that their serial numbers are in order.
type counter struct {
	*httptest.Server

	mu       sync.Mutex
	down     bool
	ids      map[string]bool
	arrived  int
	next     int // the serial number that comes next
	disorder int // events that were not that one
}

func newCounter() *counter {
	c := &counter{ids: map[string]bool{}, down: true}
	c.Server = httptest.NewServer(c)
	DeferCleanup(c.Close)
	return c
}

func (c *counter) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	var body io.Reader = request.Body
	if request.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			response.WriteHeader(http.StatusBadRequest)
			return
		}
		body = unzipped
	}
	var events []struct {
		Kind        string `json:"kind"`
		MetricValue int    `json:"metricValue"`
	}
	err := json.NewDecoder(body).Decode(&events)
	c.mu.Lock()
	defer c.mu.Unlock()
	id := request.Header.Get("X-LaunchDarkly-Payload-ID")
	switch {
	case err != nil:
		response.WriteHeader(http.StatusBadRequest)
		return
	case c.down:
		response.WriteHeader(http.StatusServiceUnavailable)
		return
	case !c.ids[id]:
		c.ids[id] = true
		for _, e := range events {
			if e.Kind != "custom" {
				continue
			}
			c.arrived++
			if e.MetricValue != c.next {
				c.disorder++
			}
			c.next = e.MetricValue + 1
		}
	}
	response.WriteHeader(http.StatusAccepted)
}

func (c *counter) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.arrived
}

func (c *counter) up() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = false
}

var _ = Describe("An outage of an hour at 2,000 events a second", func() {
	outage := func(maxBytes, memory int) (c *counter, r report, n int) {
		GinkgoHelper()
		w, c := newWorld(), newCounter()
		n = sized(100_000, 7_200_000)
		p := w.start(roleOutage, eventsVariable+"="+strconv.Itoa(n), eventsURLVariable+"="+c.URL,
			bytesVariable+"="+strconv.Itoa(maxBytes), memoryVariable+"="+strconv.Itoa(memory))
		began := time.Now()
		Eventually(p.lines).WithTimeout(10 * time.Minute).Should(Receive(Equal("tracked")))
		tracked := time.Since(began)
		c.up()
		began = time.Now()
		for before := -1; before < c.count(); time.Sleep(2 * time.Second) { // until no more arrive
			before = c.count()
		}
		delivered := time.Since(began)
		r = p.end()
		Expect(r.Error).To(BeEmpty())
		suite.Report("outage", "%d events tracked in %v, %d delivered in %v, %d dropped; %d MiB of memory at the peak",
			n, tracked.Round(time.Second), c.count(), delivered.Round(time.Second), r.Stats.Dropped.Total(), r.Peak>>20)
		return c, r, n
	}

	It("is stored on disk, and delivered in order afterwards", func() {
		c, r, n := outage(8<<30, delivery.DefaultMaxBytes)
		Expect(c.count()).To(Equal(n))
		Expect(r.Stats.Dropped.Total()).To(BeZero())
		Expect(r.Peak).To(BeNumerically("<", 400<<20))
		Expect(c.disorder).To(BeNumerically("<", 10)) // single events were retried during the outage
	})

	It("is stored up to the bound, and dropped and counted beyond it", func() {
		c, r, n := outage(sized(8<<20, 512<<20), sized(4<<20, delivery.DefaultMaxBytes))
		Expect(r.Stats.Dropped.Total()).NotTo(BeZero())
		Expect(r.Stats.Dropped.Total()).To(Equal(r.Stats.Dropped.QueueFull))
		Expect(c.count() + int(r.Stats.Dropped.QueueFull)).To(Equal(n))
		Expect(r.Peak).To(BeNumerically("<", 400<<20))
	})
})
