// Package checkout is a small service that accepts orders over HTTP, evaluates a flag to select how
// to handle them, charges for them, and tracks the revenue. It depends on OpenFeature, but not on a
// provider.
//
// Its tests, in checkout_test.go, show how to test such a service with package launchdarklytest.
package checkout

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/open-feature/go-sdk/openfeature"
)

const (
	// newFlow is the flag that enables the new flow.
	newFlow = "new-flow"
	// checkedOut is the event tracked for each order. Its metric value is the revenue.
	checkedOut = "checkout"
	// userHeader is the request header in which a gateway passes the user's ID.
	userHeader = "X-User"
)

// Order is the body of a request.
type Order struct {
	Items    []Item `json:"items"`
	Currency string `json:"currency"`
	Country  string `json:"country"`
	Email    string `json:"email"`
}

// Item is a line of an order.
type Item struct {
	SKU      string  `json:"sku"`
	Price    float64 `json:"price"`
	Quantity int     `json:"quantity"`
}

// Receipt is the body of a response.
type Receipt struct {
	Flow  string  `json:"flow"` // "old" or "new"
	Total float64 `json:"total"`
}

// Payments charges users.
type Payments interface {
	Charge(ctx context.Context, user string, amount float64, currency string) error
}

// New returns the handler of the service, which serves POST /checkout.
func New(flags openfeature.IClient, payments Payments) http.Handler {
	s := service{flags: flags, payments: payments}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /checkout", s.checkout)
	return mux
}

type service struct {
	flags    openfeature.IClient
	payments Payments
}

func (s service) checkout(w http.ResponseWriter, r *http.Request) {
	ctx, userID := r.Context(), r.Header.Get(userHeader)
	if userID == "" {
		http.Error(w, "missing "+userHeader+" header", http.StatusUnauthorized)
		return
	}
	var order Order
	if err := json.NewDecoder(r.Body).Decode(&order); err != nil {
		http.Error(w, "invalid order", http.StatusBadRequest)
		return
	}
	user := contextOf(userID, order)

	receipt := Receipt{Flow: "old", Total: order.total()}
	if s.flags.Boolean(ctx, newFlow, false, user) {
		receipt.Flow = "new"
	}
	if err := s.payments.Charge(ctx, userID, receipt.Total, order.Currency); err != nil {
		http.Error(w, "payment failed", http.StatusPaymentRequired)
		return
	}
	s.flags.Track(ctx, checkedOut, user, openfeature.NewTrackingEventDetails(receipt.Total).
		Add("currency", order.Currency).
		Add("items", order.Items))

	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(receipt) // fails only if the client disconnected
}

// contextOf returns the evaluation context of a user. Flags can target the email address, but it is
// private and never sent to LaunchDarkly.
func contextOf(userID string, order Order) openfeature.EvaluationContext {
	return openfeature.NewEvaluationContext(userID, map[string]any{
		"country":           order.Country,
		"email":             order.Email,
		"privateAttributes": []string{"email"},
	})
}

func (o Order) total() float64 {
	total := 0.0
	for _, item := range o.Items {
		total += item.Price * float64(item.Quantity)
	}
	return total
}
