package main

import (
	"net/http"

	"github.com/open-feature/go-sdk/openfeature"
)

// withUser makes the user of a request its transaction context, which OpenFeature adds to every
// evaluation and every tracked event of that request, so handlers do not pass a user.
//
// The gateway in front of this service sets the headers after authentication, and removes them from
// external requests.
func withUser(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("X-User-ID")
		if id == "" {
			writeError(w, http.StatusUnauthorized, "the header X-User-ID is missing")
			return
		}
		attributes := map[string]any{
			// Flags can target the address, but it is never sent to LaunchDarkly.
			"privateAttributes": []string{"email"},
		}
		for name, header := range map[string]string{"plan": "X-User-Plan", "email": "X-User-Email"} {
			if value := r.Header.Get(header); value != "" {
				attributes[name] = value
			}
		}
		user := openfeature.NewEvaluationContext(id, attributes)
		next(w, r.WithContext(openfeature.MergeTransactionContext(r.Context(), user)))
	})
}
