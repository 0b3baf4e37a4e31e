package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"embed"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/open-feature/go-sdk/openfeature"
)

const (
	// newCheckoutFlag is the flag that selects the checkout page.
	newCheckoutFlag = "new-checkout"
	// checkoutEvent is tracked for each purchase. Its value is the revenue in euros.
	checkoutEvent = "checkout"
)

const (
	visitorCookie = "visitor"
	cartCookie    = "cart"
	orderCookie   = "order" // the last purchase, for the thank-you page
	month         = 30 * 24 * 60 * 60
	maxBody       = 16 << 10

	visitorIDLength = 26
)

//go:embed web
var web embed.FS

// application is the shop. It depends on OpenFeature, but not on LaunchDarkly.
type application struct {
	client  *openfeature.Client
	live    *live
	pages   map[string]*template.Template
	handler http.Handler
}

// page is the data of the templates.
type page struct {
	Title   string
	Status  int    // of the response; 0 for 200
	Section string // current section of the navigation
	Cart    cart
	Content any
}

func newApplication(client *openfeature.Client, behind backend, s settings) *application {
	app := &application{client: client, pages: parsePages()}
	app.live = newLive(app, behind, s)

	static, err := fs.Sub(web, "web/static")
	if err != nil {
		panic(err) // the files are embedded
	}
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", withVisitor(app.shop))
	mux.Handle("GET /cart", withVisitor(app.cart))
	mux.Handle("POST /cart", withVisitor(app.changeCart))
	mux.Handle("GET /checkout", withVisitor(app.checkout))
	mux.Handle("POST /checkout", withVisitor(app.buy))
	mux.Handle("GET /thanks", withVisitor(app.thanks))
	mux.HandleFunc("POST /visitor", app.forgetVisitor)
	mux.HandleFunc("GET /live", app.live.page)
	mux.HandleFunc("GET /live/events", app.live.stream)
	mux.HandleFunc("POST /live/service", app.live.switchService)
	mux.HandleFunc("POST /live/simulation", app.live.simulate)
	mux.Handle("GET /static/", http.StripPrefix("/static/", http.FileServerFS(files{static})))
	mux.HandleFunc("GET /", app.notFound)
	app.handler = withProtection(mux)
	return app
}

// ServeHTTP implements [http.Handler].
func (app *application) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	app.handler.ServeHTTP(w, r)
}

// close ends the background goroutines and waits for them.
func (app *application) close() {
	app.live.close()
	app.live.running.Wait()
}

// files is a file system without directories, so that they are not listed.
type files struct{ fs.FS }

// Open implements [fs.FS].
func (f files) Open(name string) (fs.File, error) {
	file, err := f.FS.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// withVisitor identifies each visitor by a cookie and sets OpenFeature's transaction context for
// the request, so that handlers evaluate flags and track events without an explicit context.
func withVisitor(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := cookie(r, visitorCookie)
		if !isVisitorID(id) {
			id = rand.Text()
			setCookie(w, visitorCookie, id, month)
		}
		visitor := openfeature.NewEvaluationContext(id, map[string]any{"anonymous": true})
		ctx := openfeature.WithTransactionContext(r.Context(), visitor)
		next(w, r.WithContext(ctx))
	})
}

// isVisitorID reports whether a cookie has the form of rand.Text.
func isVisitorID(id string) bool {
	if len(id) != visitorIDLength {
		return false
	}
	for _, c := range id {
		if (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

// withProtection protects against cross-site requests, framing, injected scripts and large request
// bodies.
func withProtection(next http.Handler) http.Handler {
	next = http.NewCrossOriginProtection().Handler(http.MaxBytesHandler(next, maxBody))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "+
			"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-cache")
		next.ServeHTTP(w, r)
	})
}

func (app *application) shop(w http.ResponseWriter, r *http.Request) {
	app.render(w, r, "shop", page{Title: "Tableware, made slowly", Section: "shop", Content: catalogue})
}

func (app *application) cart(w http.ResponseWriter, r *http.Request) {
	app.render(w, r, "cart", page{Title: "Your cart", Section: "cart"})
}

func (app *application) changeCart(w http.ResponseWriter, r *http.Request) {
	by, err := strconv.Atoi(r.PostFormValue("change"))
	cart := readCart(r)
	if err != nil || by < -maxQuantity || by > maxQuantity || !cart.change(r.PostFormValue("product"), by) {
		http.Error(w, "There is no such product.", http.StatusBadRequest)
		return
	}
	setCookie(w, cartCookie, cart.encode(), month)
	http.Redirect(w, r, "/cart", http.StatusSeeOther)
}

// checkout shows one of two pages, selected by a flag. A hook reports the exposure.
func (app *application) checkout(w http.ResponseWriter, r *http.Request) {
	if readCart(r).Count() == 0 {
		http.Redirect(w, r, "/cart", http.StatusSeeOther)
		return
	}
	name := "checkout-classic"
	if app.client.Boolean(r.Context(), newCheckoutFlag, false, openfeature.EvaluationContext{}) {
		name = "checkout-new"
	}
	app.render(w, r, name, page{Title: "Checkout", Section: "cart"})
}

// buy accepts an order and tracks it, with the revenue as the value and the cart as data.
func (app *application) buy(w http.ResponseWriter, r *http.Request) {
	cart := readCart(r)
	if cart.Count() == 0 {
		http.Redirect(w, r, "/cart", http.StatusSeeOther)
		return
	}
	app.trackCheckout(r.Context(), cart)
	setCookie(w, orderCookie, cart.encode(), 60*60)
	setCookie(w, cartCookie, "", -1)
	http.Redirect(w, r, "/thanks", http.StatusSeeOther)
}

func (app *application) trackCheckout(ctx context.Context, cart cart) {
	var items []map[string]any
	for _, l := range cart.Lines() {
		items = append(items, map[string]any{"product": l.Product.ID, "quantity": l.Quantity, "price": l.Product.Price.euros()})
	}
	app.client.Track(ctx, checkoutEvent, openfeature.EvaluationContext{},
		openfeature.NewTrackingEventDetails(cart.Total().euros()).
			Add("currency", "EUR").
			Add("items", items))
}

func (app *application) thanks(w http.ResponseWriter, r *http.Request) {
	order := parseCart(cookie(r, orderCookie))
	if order.Count() == 0 {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	app.render(w, r, "thanks", page{Title: "Thank you", Content: order})
}

// forgetVisitor assigns a new identity to the visitor, who may then see the other checkout.
func (app *application) forgetVisitor(w http.ResponseWriter, r *http.Request) {
	for _, name := range []string{visitorCookie, cartCookie, orderCookie} {
		setCookie(w, name, "", -1)
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// notFound serves all unknown paths.
func (app *application) notFound(w http.ResponseWriter, r *http.Request) {
	app.render(w, r, "not-found", page{Title: "Page not found", Status: http.StatusNotFound})
}

// render writes a page, or an error if the template fails.
func (app *application) render(w http.ResponseWriter, r *http.Request, name string, p page) {
	p.Cart = readCart(r)
	var body bytes.Buffer
	if err := app.pages[name].ExecuteTemplate(&body, "layout", p); err != nil {
		slog.ErrorContext(r.Context(), "rendering a page failed", slog.String("page", name), slog.Any("error", err))
		http.Error(w, "Internal error.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if p.Status != 0 {
		w.WriteHeader(p.Status)
	}
	_, _ = body.WriteTo(w)
}

// parsePages parses the templates, each with the layout.
func parsePages() map[string]*template.Template {
	layout := template.Must(template.ParseFS(web, "web/layout.html", "web/art.html"))
	pages := map[string]*template.Template{}
	for _, name := range []string{"shop", "cart", "checkout-classic", "checkout-new", "thanks", "live", "not-found"} {
		pages[name] = template.Must(template.Must(layout.Clone()).ParseFS(web, "web/"+name+".html"))
	}
	return pages
}

func readCart(r *http.Request) cart { return parseCart(cookie(r, cartCookie)) }

// cookie returns the value of a cookie, or "" if there is none.
func cookie(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// setCookie sets a cookie with a maximum age in seconds. A negative age deletes the cookie.
func setCookie(w http.ResponseWriter, name, value string, seconds int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // without Secure: the shop uses HTTP on loopback
		Name: name, Value: value, Path: "/", MaxAge: seconds, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
