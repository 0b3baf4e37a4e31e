// Package checkout is a small service as an application writes it: it takes orders over HTTP, asks a flag how to handle
// them, charges for them, and tracks the revenue. It knows OpenFeature, and nothing of who serves the flags.
//
// Its tests, in checkout_test.go, show how such a service is tested with LaunchDarkly in a box.
package checkout

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/open-feature/go-sdk/openfeature"
)

const (
	// newFlow is the flag that turns the new flow on.
	newFlow = "new-flow"
	// checkedOut is the event that counts orders, and sums up what they bring in.
	checkedOut = "checkout"
	// userHeader is where the gateway before this service says who the user is.
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

// Receipt is the body of an answer.
type Receipt struct {
	Flow  string  `json:"flow"` // "old" or "new"
	Total float64 `json:"total"`
}

// Payments charges users.
type Payments interface {
	Charge(ctx context.Context, user string, amount float64, currency string) error
}

// New makes the service, which answers POST /checkout.
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
	ctx, user := r.Context(), r.Header.Get(userHeader)
	if user == "" {
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	var order Order
	if err := json.NewDecoder(r.Body).Decode(&order); err != nil {
		http.Error(w, "the order can't be read", http.StatusBadRequest)
		return
	}
	about := contextOf(user, order)

	receipt := Receipt{Flow: "old", Total: order.total()}
	if s.flags.Boolean(ctx, newFlow, false, about) {
		receipt.Flow = "new"
	}
	if err := s.payments.Charge(ctx, user, receipt.Total, order.Currency); err != nil {
		http.Error(w, "the payment failed", http.StatusPaymentRequired)
		return
	}
	s.flags.Track(ctx, checkedOut, about, openfeature.NewTrackingEventDetails(receipt.Total).
		Add("currency", order.Currency).
		Add("items", order.Items))

	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(receipt) // who hung up does not need it
}

// contextOf is whom flags are evaluated for, and who checks out. The email address may decide about flags, and stays here.
func contextOf(user string, order Order) openfeature.EvaluationContext {
	return openfeature.NewEvaluationContext(user, map[string]any{
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
