package checkout_test

import (
	"context"
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/examples/checkout"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

func TestCheckout(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(20 * time.Second)
	RunSpecs(t, "Checkout")
}

// shop is the service with its dependencies. Each spec has its own, so that specs can run in any
// order.
type shop struct {
	provider *launchdarkly.Provider
	client   *openfeature.Client
	payments *payments
	handler  http.Handler
}

// wire sets up the service as its main function does, except for the SDK key and the configuration
// of the test server. It returns the error of the provider registration, which main logs.
func wire(ctx context.Context, testServer *launchdarklytest.Server, options ...launchdarkly.Option) (*shop, error) {
	GinkgoHelper()
	options = append(options, launchdarkly.WithConfig(testServer.Config()))
	provider, err := launchdarkly.NewProvider(testServer.SDKKey(), options...)
	Expect(err).NotTo(HaveOccurred())
	api := isolated.NewAPI() // one per spec; main uses the global API
	DeferCleanup(api.Shutdown)
	err = api.SetProviderAndWait(ctx, provider)
	s := &shop{provider: provider, client: api.NewClient(), payments: new(payments)}
	s.handler = checkout.New(s.client, s.payments)
	return s, err
}

// open sets up the service and waits until it has the flags of the server.
func open(ctx context.Context, testServer *launchdarklytest.Server) *shop {
	GinkgoHelper()
	s, err := wire(ctx, testServer)
	Expect(err).NotTo(HaveOccurred())
	return s
}

// order is the order of all users, for 99.90 EUR.
const order = `{
	"items": [{"sku": "A-17", "price": 49.95, "quantity": 2}],
	"currency": "EUR", "country": "DE", "email": "sandy@example.com"
}`

// checkOut sends an order of the user, and returns the status and the receipt.
func (s *shop) checkOut(user string) (int, checkout.Receipt) {
	GinkgoHelper()
	request := httptest.NewRequest(http.MethodPost, "/checkout", strings.NewReader(order))
	request.Header.Set("X-User", user)
	response := httptest.NewRecorder()
	s.handler.ServeHTTP(response, request)
	var receipt checkout.Receipt
	if response.Code == http.StatusOK {
		Expect(json.Unmarshal(response.Body.Bytes(), &receipt)).To(Succeed())
	}
	return response.Code, receipt
}

// flow returns the flow selected for the user.
func (s *shop) flow(user string) string {
	GinkgoHelper()
	status, receipt := s.checkOut(user)
	Expect(status).To(Equal(http.StatusOK))
	return receipt.Flow
}

// payments is a [checkout.Payments] that fails if broken is set.
type payments struct{ broken bool }

// Charge implements [checkout.Payments].
func (p *payments) Charge(context.Context, string, float64, string) error {
	if p.broken {
		return errors.New("the card was declined")
	}
	return nil
}

// TestServiceIsVendorNeutral checks that the service imports only OpenFeature and the standard
// library.
func TestServiceIsVendorNeutral(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	parsed := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		parsed++
		for _, spec := range source.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			host, _, _ := strings.Cut(path, "/")
			if strings.Contains(host, ".") && !strings.HasPrefix(path, "github.com/open-feature/go-sdk/") {
				t.Errorf("%s imports %s", file, path)
			}
		}
	}
	if parsed == 0 {
		t.Error("found no source files")
	}
}
