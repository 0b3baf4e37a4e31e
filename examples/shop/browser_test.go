package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// browser is a Chromium with one page, and the errors and warnings of its console.
type browser struct {
	t   *testing.T
	ctx context.Context
	url string

	mu         sync.Mutex
	complaints []string
}

// startBrowser starts a Chromium that is closed at the end of the test. The test fails if the
// browser's console has errors or warnings. If there is no Chromium, the test is skipped, or fails
// in CI.
func startBrowser(t *testing.T, shop string) *browser {
	t.Helper()
	path := findChromium(t)
	ctx, closeBrowser := chromedp.NewContext(context.Background(), chromedp.WithAllocatorOptions(
		chromedp.ExecPath(path),
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.WSURLReadTimeout(patient),
	), chromedp.WithErrorf(t.Logf), chromedp.WithLogf(func(string, ...any) {}))
	b := &browser{t: t, ctx: ctx, url: shop}
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Log(err)
		}
		closeBrowser()
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, complaint := range b.complaints {
			t.Errorf("the browser's console: %s", complaint)
		}
	})
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.EmulateViewport(1280, 900))
	return b
}

// findChromium returns the path of a browser.
func findChromium(t *testing.T) string {
	t.Helper()
	names := []string{"chromium", "chromium-browser", "google-chrome"}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	message := fmt.Sprintf("no browser: none of %s is in PATH", strings.Join(names, ", "))
	if os.Getenv("CI") != "" {
		t.Fatal(message)
	}
	t.Skip(message)
	return ""
}

// listen collects errors and warnings of the console, including violations of the content security
// policy.
func (b *browser) listen(event any) {
	var complaint string
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			complaint = e.Entry.Text + " " + e.Entry.URL
		}
	case *runtime.EventExceptionThrown:
		complaint = e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			complaint += " " + e.ExceptionDetails.Exception.Description
		}
	case *runtime.EventConsoleAPICalled:
		complaint = "console." + string(e.Type)
	}
	if complaint == "" {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.complaints = append(b.complaints, complaint)
}

// do runs steps.
func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patient)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// open opens a page of the shop.
func (b *browser) open(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.url + path))
}

// press clicks an element that leads to another page, and waits for the page.
func (b *browser) press(selector string) {
	b.t.Helper()
	b.leave(chromedp.Click(chromedp.CSS(selector)))
}

// leave runs a step that leads to another page, and waits for the page.
func (b *browser) leave(step chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patient)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, step); err != nil {
		b.t.Fatalf("leaving a page: %v", err)
	}
}

// wait waits until a JavaScript expression is true.
func (b *browser) wait(expression string) {
	b.t.Helper()
	poll := chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(patient), chromedp.WithPollingInterval(20*time.Millisecond))
	if _, err := inPage(b, poll); err != nil {
		page, _ := inPage(b, chromedp.Evaluate[string]("location.pathname + '\\n' + document.body.innerText"))
		b.t.Fatalf("waiting for %s: %v on\n%s", expression, err, page)
	}
}

// evaluate returns the value of a JavaScript expression.
func evaluate[T any](b *browser, expression string) T {
	b.t.Helper()
	value, err := inPage(b, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("evaluating %s: %v", expression, err)
	}
	return value
}

// inPage runs a script. It retries if the page changes meanwhile.
func inPage[T any](b *browser, script chromedp.Action[T]) (T, error) {
	ctx, cancel := context.WithTimeout(b.ctx, patient)
	defer cancel()
	for {
		value, err := chromedp.Run(ctx, script)
		if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "Cannot find context with specified id") {
			return value, err
		}
	}
}

// shows returns a JavaScript expression that reports whether an element of /live has the text.
func shows(id, text string) string {
	return fmt.Sprintf("document.getElementById(%q).textContent === %q", id, text)
}

// buy buys a mug.
func (b *browser) buy() {
	b.t.Helper()
	b.open("/")
	b.press(".product:first-child button")
	b.press("#to-checkout")
	b.press("#buy")
	b.wait(`location.pathname === "/thanks" && document.querySelector("h1").textContent === "Thank you"`)
}

// rowCutOff is a JavaScript expression that reports whether the last row of the list is cut off.
const rowCutOff = `[...document.querySelectorAll("#rows li")].some((row) => {
	const end = document.querySelector(".scroll").clientHeight;
	return row.offsetTop < end - 1 && row.offsetTop + row.offsetHeight > end + 1;
})`

// visitors is a JavaScript expression for the number of visitors on /live.
const visitors = `[...document.querySelectorAll("[data-text=visitors]")].reduce((sum, e) => sum + Number(e.textContent), 0)`

func TestBrowserPurchase(t *testing.T) {
	shop := startShop(t, settings{})
	b := startBrowser(t, shop.url)
	b.buy()
	b.press(`main a[href="/live"]`)
	b.wait(shows("arrived", "2") + " && " + shows("delivered", "2") + " && " + shows("waiting", "0"))
	b.wait(`document.querySelectorAll("#rows li").length === 2`)
	rows := evaluate[string](b, `document.getElementById("rows").innerText`)
	for _, want := range []string{"Bought for €24.00", "1 × mug", "checkout", "feature_flag.evaluation"} {
		if !strings.Contains(rows, want) {
			t.Errorf("%q is not in\n%s", want, rows)
		}
	}
	b.wait(visitors + " === 1")
	if !evaluate[bool](b, `[...document.querySelectorAll(".bar")].some((bar) => bar.getAttribute("aria-label").endsWith("1 of 1 visitors bought"))`) {
		t.Error("no bar has a text alternative with the purchase")
	}
}

func TestBrowserSimulation(t *testing.T) {
	shop := startShop(t, settings{pace: 2 * time.Millisecond})
	b := startBrowser(t, shop.url)
	b.open("/live")
	b.do(chromedp.Click(chromedp.CSS("#simulate")))
	b.wait(`document.getElementById("progress").value === 200 && ` +
		shows("progress-text", "200 visitors have been there") + " && " + visitors + " === 200")
	b.wait(`document.getElementById("status").classList.contains("settled")`)
	b.wait(`document.getElementById("tracked").textContent === document.getElementById("arrived").textContent`)
	// The bars are not empty, and the darker part of each is shorter.
	b.wait(`[...document.querySelectorAll(".bar")].every((bar) => {
		const length = (part) => bar.querySelector(part).getBoundingClientRect().width;
		return length(".bar-bought") > 0 && length(".bar-seen") > length(".bar-bought") && length(".bar-track") >= length(".bar-seen");
	})`)
	if rows := evaluate[int](b, `document.querySelectorAll("#rows li").length`); rows != maxRows {
		t.Errorf("the page lists %d events", rows)
	}
	for _, size := range [][2]int64{{1280, 900}, {1000, 800}, {375, 812}} {
		b.do(chromedp.EmulateViewport(size[0], size[1]))
		if evaluate[bool](b, rowCutOff) {
			t.Errorf("the last row is cut off in a window of %d x %d", size[0], size[1])
		}
	}
	b.do(chromedp.EmulateViewport(1280, 900))
	if verdict := evaluate[string](b, `document.querySelector(".verdict").textContent`); !strings.Contains(verdict, "percentage points") {
		t.Errorf("the verdict is %q", verdict)
	}
	// The button is enabled again and has kept the focus.
	b.wait(`document.getElementById("simulate").getAttribute("aria-disabled") === "false"`)
	if !evaluate[bool](b, `document.activeElement.id === "simulate"`) {
		t.Error("the button has no focus")
	}
}

func TestBrowserOutage(t *testing.T) {
	shop := startShop(t, settings{})
	b := startBrowser(t, shop.url)
	b.open("/live")
	b.do(chromedp.Click(chromedp.CSS("#switch")))
	b.wait(`document.getElementById("switch").getAttribute("aria-checked") === "false"`)
	b.buy()
	b.open("/live")
	b.wait(shows("waiting", "2") + " && " + shows("tracked", "2") + " && " + shows("arrived", "0"))
	b.wait(`document.getElementById("status").innerText.includes("The events service is down.")`)
	b.wait(shows("nothing", "Nothing arrives while the events service is down."))
	b.do(chromedp.Click(chromedp.CSS("#switch")))
	b.wait(shows("waiting", "0") + " && " + shows("delivered", "2") + " && " + shows("lost", "0") + " && " + shows("arrived", "2") + " && " + shows("nothing", ""))
	b.wait(`document.getElementById("status").innerText.includes("Everything that was tracked has arrived.")`)
}

// TestBrowserKeyboard uses the keyboard only, and checks the text for screen readers.
func TestBrowserKeyboard(t *testing.T) {
	shop := startShop(t, settings{})
	b := startBrowser(t, shop.url)
	b.open("/live")

	// The first element is the skip link.
	b.do(chromedp.KeyEvent(kb.Tab))
	if !evaluate[bool](b, `document.activeElement.matches(".skip") && document.activeElement.getBoundingClientRect().top >= 0`) {
		t.Error("the first element is not a visible skip link")
	}
	b.do(chromedp.KeyEvent(kb.Enter))
	b.wait(`document.activeElement.id === "main"`)

	focus := `document.activeElement.id`
	for range 10 {
		if evaluate[string](b, focus) == "switch" {
			break
		}
		b.do(chromedp.KeyEvent(kb.Tab))
	}
	if at := evaluate[string](b, focus); at != "switch" {
		t.Fatalf("the switch is not reachable: the focus is at %q", at)
	}
	if !evaluate[bool](b, `getComputedStyle(document.activeElement).outlineStyle === "solid"`) {
		t.Error("the focus is not visible")
	}
	b.do(chromedp.KeyEvent(" "))
	b.wait(`document.getElementById("switch").getAttribute("aria-checked") === "false"`)
	b.wait(`document.getElementById("announcer").textContent.startsWith("The events service is down.")`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.wait(`document.getElementById("switch").getAttribute("aria-checked") === "true"`)
	b.wait(`document.getElementById("announcer").textContent === "Nothing is tracked yet."`)
	if !shop.behind.accepts() || evaluate[string](b, focus) != "switch" {
		t.Error("the switch has no focus or no effect")
	}
}

// TestBrowserKeepsFocus changes a quantity with the keyboard and checks that the next page has the
// same focus.
func TestBrowserKeepsFocus(t *testing.T) {
	shop := startShop(t, settings{})
	b := startBrowser(t, shop.url)
	b.open("/")
	b.press(".product:first-child button")
	b.do(chromedp.Focus(chromedp.CSS("#more-mug")))
	for _, quantity := range []string{"2", "3"} {
		b.leave(chromedp.KeyEvent(kb.Enter))
		b.wait(`document.querySelector(".quantity > span").textContent.startsWith("` + quantity + `")`)
		b.wait(`document.activeElement.id === "more-mug"`)
	}
}

// TestBrowserOnAPhone checks that pages fit the width of a phone.
func TestBrowserOnAPhone(t *testing.T) {
	shop := startShop(t, settings{})
	b := startBrowser(t, shop.url)
	b.do(chromedp.EmulateViewport(375, 812, chromedp.EmulateMobile))
	b.buy()
	for _, path := range []string{"/", "/cart", "/thanks", "/live"} {
		b.open(path)
		if wide := evaluate[int](b, "document.documentElement.scrollWidth"); wide > 375 {
			t.Errorf("%s is %d pixels wide", path, wide)
		}
	}
}
