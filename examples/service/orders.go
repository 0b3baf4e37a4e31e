package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/open-feature/go-sdk/openfeature"
)

// purchaseEvent is tracked for each order. Its value is the revenue in euros, which a metric in
// LaunchDarkly sums up for each group of an experiment.
const purchaseEvent = "purchase"

const shippingFee cents = 4_90

const maxQuantity = 100 // of one product

// order is the request of POST /orders.
type order struct {
	Items []orderItem `json:"items"`
}

type orderItem struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
}

// receipt is the response of POST /orders.
type receipt struct {
	Shipping cents `json:"shippingCents"`
	Total    cents `json:"totalCents"`
}

// placeOrder handles POST /orders. A shop would also store, charge and ship the order.
func (s *service) placeOrder(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	if !flags(ctx).acceptOrders(ctx) {
		writeError(w, http.StatusServiceUnavailable, "orders are not accepted at the moment")
		return
	}
	var o order
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
		writeError(w, http.StatusBadRequest, "the order is not valid JSON: "+err.Error())
		return
	}
	subtotal, err := o.subtotal()
	if err != nil {
		writeError(w, http.StatusUnprocessableEntity, err.Error())
		return
	}

	result := receipt{Total: subtotal}
	if subtotal < flags(ctx).freeShippingFrom(ctx) {
		result.Shipping = shippingFee
		result.Total += shippingFee
	}
	s.trackPurchase(ctx, o, result.Total)
	writeJSON(w, http.StatusCreated, result)
}

// trackPurchase tracks the revenue and the items of an order. Track does not wait for LaunchDarkly:
// the event is delivered in the background, with retries.
func (s *service) trackPurchase(ctx context.Context, o order, revenue cents) {
	s.client.Track(ctx, purchaseEvent, openfeature.EvaluationContext{}, // withUser has set the user
		openfeature.NewTrackingEventDetails(revenue.euros()).
			Add("currency", "EUR").
			Add("items", o.Items))
}

// subtotal returns the price of the order without shipping, or an error if the order is invalid.
func (o order) subtotal() (cents, error) {
	if len(o.Items) == 0 {
		return 0, errors.New("the order has no items")
	}
	var sum cents
	for _, item := range o.Items {
		price, ok := priceOf(item.SKU)
		if !ok {
			return 0, errors.New("there is no such product")
		}
		if item.Quantity < 1 || item.Quantity > maxQuantity {
			return 0, errors.New("the quantity is out of range")
		}
		sum += price * cents(item.Quantity)
	}
	return sum, nil
}
