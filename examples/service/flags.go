package main

import (
	"context"
	"net/http"
	"slices"
	"sync"

	"github.com/open-feature/go-sdk/openfeature"
)

// flagTable holds the flags of one request. Each flag of the service has a method, which is the
// only place for its key and its default.
//
// A flag is evaluated when it is first needed, and keeps its value until the end of the request: a
// request never sees two values of a flag, and an experiment counts only users who reach it.
// flagTable is safe for concurrent use.
type flagTable struct {
	client *openfeature.Client

	mu   sync.Mutex
	rows []flagRow // in the order of their evaluation
}

// flagRow is the result of an evaluation.
type flagRow struct {
	value   any
	details openfeature.EvaluationDetails
}

// acceptOrders reports whether orders are accepted. It is a switch for emergencies.
func (t *flagTable) acceptOrders(ctx context.Context) bool {
	return evaluate(ctx, t, "accept-orders", true, t.client.BooleanValueDetails)
}

// banner returns the text above the products.
func (t *flagTable) banner(ctx context.Context) string {
	return evaluate(ctx, t, "banner", "", t.client.StringValueDetails)
}

// freeShippingFrom returns the order value from which shipping is free. The flag, in euros, is an
// experiment: which amount brings the most revenue?
func (t *flagTable) freeShippingFrom(ctx context.Context) cents {
	euros := evaluate(ctx, t, "free-shipping-from", 50, t.client.IntValueDetails)
	return cents(100 * euros)
}

// evaluation is a method of OpenFeature's client that evaluates flags of type T.
type evaluation[T any] func(
	ctx context.Context, key string, defaultValue T, user openfeature.EvaluationContext, options ...openfeature.Option,
) (openfeature.GenericEvaluationDetails[T], error)

// evaluate returns the value of a flag in this request. If the evaluation fails, it returns the
// default, and the metrics and the request's log line have the error.
func evaluate[T any](ctx context.Context, t *flagTable, key string, defaultValue T, e evaluation[T]) T {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, row := range t.rows {
		if value, ok := row.value.(T); ok && row.details.FlagKey == key {
			return value
		}
	}
	details, _ := e(ctx, key, defaultValue, openfeature.EvaluationContext{}) // withUser has set the user
	t.rows = append(t.rows, flagRow{value: details.Value, details: details.EvaluationDetails})
	return details.Value
}

// evaluated returns the flags that have been evaluated so far.
func (t *flagTable) evaluated() []flagRow {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.rows)
}

type flagTableKey struct{}

// withFlags gives each request a table of flags.
func withFlags(client *openfeature.Client, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		table := &flagTable{client: client}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), flagTableKey{}, table)))
	})
}

// flags returns the table of a request, which withFlags has set.
func flags(ctx context.Context) *flagTable {
	table, _ := ctx.Value(flagTableKey{}).(*flagTable)
	return table
}
