package main

import (
	"net/http"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
)

func TestProductsShowBanner(t *testing.T) {
	t.Parallel()
	testServer := newTestServer(t)
	testServer.SetValue("banner", "Closed on Sunday")
	p := start(t, testServer).products(user{id: "sandy"})
	if p.Banner != "Closed on Sunday" || len(p.Products) != len(catalogue) {
		t.Errorf("got %+v", p)
	}
}

func TestFlagsAreTargetedAtTheUser(t *testing.T) {
	t.Parallel()
	testServer := newTestServer(t)
	rule := func(variation int, attribute, value string) *ldbuilders.RuleBuilder {
		return ldbuilders.NewRuleBuilder().ID(attribute).Variation(variation).
			Clauses(ldbuilders.Clause(attribute, ldmodel.OperatorIn, ldvalue.String(value)))
	}
	testServer.SetFlags(ldbuilders.NewFlagBuilder("free-shipping-from").
		On(true).
		Variations(ldvalue.Int(50), ldvalue.Int(40), ldvalue.Int(30), ldvalue.Int(20)).
		FallthroughVariation(0).
		AddTarget(1, "sandy").
		AddRule(rule(2, "plan", "gold")).
		AddRule(rule(3, "email", "alex@example.com")).
		Build())
	s := start(t, testServer)
	for _, test := range []struct {
		user user
		want cents
	}{
		{user{id: "kim"}, 50_00},
		{user{id: "sandy"}, 40_00},
		{user{id: "robin", plan: "gold"}, 30_00},
		{user{id: "alex", email: "alex@example.com"}, 20_00},
	} {
		if got := s.products(test.user).FreeShippingFrom; got != test.want {
			t.Errorf("%+v: free shipping from %d, want %d", test.user, got, test.want)
		}
	}
}

func TestRequestWithoutUserIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t, newTestServer(t))
	for path, method := range map[string]string{"/products": http.MethodGet, "/orders": http.MethodPost} {
		if status, body := s.request(user{}, method, path, ""); status != http.StatusUnauthorized {
			t.Errorf("%s %s: %d %s", method, path, status, body)
		}
	}
	if n := s.provider.Stats().Evaluations; n != 0 {
		t.Errorf("flags were evaluated %d times for nobody", n)
	}
}
