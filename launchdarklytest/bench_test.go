package launchdarklytest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// BenchmarkEvents measures one delivery of 1000 custom events, including HTTP.
func BenchmarkEvents(b *testing.B) {
	const count = 1000
	box := launchdarklytest.NewServer()
	defer box.Close()
	events := make([]string, count)
	for i := range events {
		events[i] = fmt.Sprintf(`{"kind":"custom","creationDate":1700000000000,"key":"checkout","data":{"order":"%d",`+
			`"items":[1,2,3]},"context":{"kind":"user","key":"user-%d"},"metricValue":99.9}`, i, i)
	}
	body := "[" + strings.Join(events, ",") + "]"
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		request, err := http.NewRequestWithContext(b.Context(), http.MethodPost,
			box.URL()+launchdarklytest.EventsPath, strings.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		request.Header.Set("Authorization", box.SDKKey())
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			b.Fatal(err)
		}
		_ = response.Body.Close()
	}
	b.StopTimer()
	if got := box.EventCount(launchdarklytest.KindCustom); got != count*b.N {
		b.Errorf("got %d events", got)
	}
}
