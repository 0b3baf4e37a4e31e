package delivery

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// relayTimeout bounds the request for the status page.
const relayTimeout = 10 * time.Second

// isRelay reports whether the endpoint is a LaunchDarkly Relay Proxy, which it recognizes by its
// status page (https://launchdarkly.com/docs/sdk/relay-proxy/monitoring). It does not send the SDK
// key. If the endpoint is LaunchDarkly's own, it returns false without a request.
func (e *endpoint) isRelay(ctx context.Context) bool {
	if isLaunchDarkly(e.template.URL.Hostname()) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, relayTimeout)
	defer cancel()
	status := *e.template.URL
	status.Path = strings.TrimSuffix(status.Path, "/bulk") + "/status"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, status.String(), http.NoBody)
	if err != nil {
		return false
	}
	client := *e.client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	defer context.AfterFunc(ctx, func() { _ = response.Body.Close() })()
	var page struct {
		Environments map[string]json.RawMessage `json:"environments"`
		Version      string                     `json:"version"`
	}
	err = json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&page)
	return err == nil && page.Environments != nil && page.Version != ""
}

func isLaunchDarkly(host string) bool {
	for _, domain := range []string{"launchdarkly.com", "launchdarkly.us"} {
		if host == domain || strings.HasSuffix(host, "."+domain) {
			return true
		}
	}
	return false
}

// warnRelay logs that a Relay Proxy may drop events that it has accepted.
func (r *reporter) warnRelay() {
	r.log(slog.LevelWarn, "events go through a Relay Proxy, which drops what exceeds its EVENTS_CAPACITY after accepting it",
		slog.String("remedies", "ldcomponents.RelayProxyEndpointsWithoutEvents, a larger EVENTS_CAPACITY (1000 for each "+
			"EVENTS_FLUSH_INTERVAL of 5s by default), or delivery.WithMaxRate"))
}
