package main

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// asService is an environment variable with which the test binary is the service.
const asService = "RUN_SERVICE"

func TestMain(m *testing.M) {
	if os.Getenv(asService) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// process is the service in a process of its own.
type process struct {
	*exec.Cmd
	t    *testing.T
	url  string
	logs *lines
}

// startProcess starts a process with these environment variables, and returns when it is ready.
func startProcess(t *testing.T, environment ...string) *process {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: exec.CommandContext(t.Context(), binary), t: t, logs: &lines{}}
	p.Env = append(os.Environ(), asService+"=1", "LISTEN_ADDRESS=localhost:0")
	p.Env = append(p.Env, environment...)
	p.Stderr = p.logs
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return len(p.logs.with(t, "listening")) == 1 })
	p.url = "http://" + p.logs.with(t, "listening")[0]["address"].(string)
	eventually(t, func() bool {
		status, _ := p.get("/readyz")
		return status == http.StatusOK
	})
	return p
}

func (p *process) get(path string) (int, string) {
	p.t.Helper()
	response, err := http.Get(p.url + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// order has Sandy order something, and returns the status of the response, or 0.
func (p *process) order(body io.Reader) int {
	r, err := http.NewRequest(http.MethodPost, p.url+"/orders", body)
	if err != nil {
		p.t.Error(err)
		return 0
	}
	r.Header.Set("X-User-ID", "sandy")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Error(err)
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

// TestSignalsEndTheService sends each signal during a request. The request is finished, no other
// one is accepted, and its events are delivered.
func TestSignalsEndTheService(t *testing.T) {
	t.Parallel()
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			testServer := newTestServer(t)
			testServer.SetValue("free-shipping-from", 50)
			p := startProcess(t, "LAUNCHDARKLY_SDK_KEY="+testServer.SDKKey(), "LAUNCHDARKLY_RELAY_URL="+testServer.URL())
			body, rest := io.Pipe()
			answered := make(chan int, 1)
			go func() { answered <- p.order(body) }()
			io.WriteString(rest, `{"items":[{"sku":"mug",`)
			eventually(t, func() bool { // the request is active
				_, metrics := p.get("/metrics")
				return strings.Contains(metrics, `feature_flag_key="accept-orders"`)
			})

			if err := p.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			eventually(t, func() bool {
				connection, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
				if err == nil {
					connection.Close()
				}
				return errors.Is(err, syscall.ECONNREFUSED)
			})
			io.WriteString(rest, `"quantity":1}]}`)
			rest.Close()

			if status := <-answered; status != http.StatusCreated {
				t.Errorf("the response has status %d", status)
			}
			if err := p.Wait(); err != nil {
				t.Error(err)
			}
			purchases := testServer.CustomEvents(purchaseEvent)
			if len(purchases) != 1 || *purchases[0].MetricValue != 28.90 {
				t.Errorf("LaunchDarkly has received %v", purchases)
			}
			if line := p.logs.with(t, "events"); len(line) != 1 || line[0]["tracked"] != 1.0 || line[0]["delivered"] != 1.0 {
				t.Errorf("logged %s", p.logs)
			}
		})
	}
}

func TestRunFailsForAnAddressInUse(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var logs bytes.Buffer
	env := environment{"LISTEN_ADDRESS": listener.Addr().String(), "LAUNCHDARKLY_SDK_KEY": "sdk"}
	if err := run(t.Context(), env.get, &logs); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v", err)
	}
}
