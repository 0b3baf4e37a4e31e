package main

import "net/http"

// cents is an amount of money, in hundredths of a euro.
type cents int64

// euros returns the amount as the value of a tracked event.
func (c cents) euros() float64 { return float64(c) / 100 }

type product struct {
	SKU   string `json:"sku"`
	Name  string `json:"name"`
	Price cents  `json:"priceCents"`
}

// catalogue lists everything that can be ordered.
var catalogue = []product{
	{SKU: "mug", Name: "Morning mug", Price: 24_00},
	{SKU: "bowl", Name: "Deep bowl", Price: 32_00},
	{SKU: "teapot", Name: "Teapot for two", Price: 64_00},
}

// priceOf returns the price of a product, and whether there is one.
func priceOf(sku string) (cents, bool) {
	for _, p := range catalogue {
		if p.SKU == sku {
			return p.Price, true
		}
	}
	return 0, false
}

// productList is the response of GET /products.
type productList struct {
	Banner           string    `json:"banner"`
	FreeShippingFrom cents     `json:"freeShippingFromCents"`
	Products         []product `json:"products"`
}

// listProducts handles GET /products. The evaluation of freeShippingFrom is the user's exposure to
// the experiment.
func (s *service) listProducts(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	writeJSON(w, http.StatusOK, productList{
		Banner:           flags(ctx).banner(ctx),
		FreeShippingFrom: flags(ctx).freeShippingFrom(ctx),
		Products:         catalogue,
	})
}
