package main

import (
	"fmt"
	"net/url"
	"strconv"
)

// cents is an amount of money in euro cents.
type cents int64

func (c cents) String() string { return fmt.Sprintf("€%d.%02d", c/100, c%100) }

// euros returns the amount in euros, as a metric value.
func (c cents) euros() float64 { return float64(c) / 100 }

// product is a product of the shop.
type product struct {
	ID, Name, Description string
	Price                 cents
}

// catalogue lists all products.
var catalogue = []product{
	{"mug", "Morning mug", "Holds a quarter litre, and the warmth.", 24_00},
	{"bowl", "Deep bowl", "For soup, and for everything else.", 32_00},
	{"teapot", "Teapot for two", "Pours without a drip. We checked.", 64_00},
	{"vase", "Meadow vase", "Tall enough for a whole meadow.", 56_00},
	{"plate", "Wide plate", "A generous rim, glazed by hand.", 28_00},
	{"lamp", "Table lamp", "A quiet light for long evenings.", 96_00},
}

// maxQuantity is the maximum quantity of one product in a cart.
const maxQuantity = 9

// cart maps product IDs to quantities. It is stored in a cookie, so that the shop is stateless.
type cart map[string]int

// line is a product in a cart.
type line struct {
	Product  product
	Quantity int
}

// Total returns the price of the line.
func (l line) Total() cents { return l.Product.Price * cents(l.Quantity) }

// parseCart parses the result of encode. It ignores invalid parts.
func parseCart(text string) cart {
	c := cart{}
	values, err := url.ParseQuery(text)
	if err != nil {
		return c
	}
	for _, p := range catalogue {
		if n, err := strconv.Atoi(values.Get(p.ID)); err == nil {
			c.change(p.ID, min(max(n, 0), maxQuantity))
		}
	}
	return c
}

func (c cart) encode() string {
	values := url.Values{}
	for id, n := range c {
		values.Set(id, strconv.Itoa(n))
	}
	return values.Encode()
}

// change adds by to the quantity of a product. It returns false if there is no such product.
func (c cart) change(id string, by int) bool {
	for _, p := range catalogue {
		if p.ID != id {
			continue
		}
		c[id] = min(max(c[id]+by, 0), maxQuantity)
		if c[id] == 0 {
			delete(c, id)
		}
		return true
	}
	return false
}

// Lines returns the cart's products in the order of the catalogue.
func (c cart) Lines() []line {
	var lines []line
	for _, p := range catalogue {
		if n := c[p.ID]; n > 0 {
			lines = append(lines, line{p, n})
		}
	}
	return lines
}

// Count returns the number of items in the cart.
func (c cart) Count() int {
	n := 0
	for _, quantity := range c {
		n += quantity
	}
	return n
}

// Total returns the total price.
func (c cart) Total() cents {
	var sum cents
	for _, l := range c.Lines() {
		sum += l.Total()
	}
	return sum
}
