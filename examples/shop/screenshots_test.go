package main

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

var screenshots = flag.String("screenshots", "", "`directory` for screenshots of the pages; if empty, none are taken")

// TestScreenshots takes screenshots of all pages, to review changes of the layout. The one of /live
// on a desktop is docs/images/live.png:
//
//	go test -run TestScreenshots -screenshots pictures . && mv pictures/live.png ../../docs/images/
func TestScreenshots(t *testing.T) {
	if *screenshots == "" {
		t.Skip("needs the flag -screenshots")
	}
	if err := os.MkdirAll(*screenshots, 0o755); err != nil {
		t.Fatal(err)
	}
	shop := startShop(t, settings{})
	b := startBrowser(t, shop.url)
	s := shooter{browser: b, scheme: "light"}

	s.use(1280, "light")
	b.open("/live")
	s.shoot("live-empty")
	b.do(chromedp.Click(chromedp.CSS("#simulate")))
	b.wait(`document.getElementById("progress").value >= 90`)
	s.capture("live-filling")
	b.wait(`document.getElementById("status").classList.contains("settled") && document.getElementById("progress").value === 200`)
	b.do(chromedp.Evaluate[chromedp.Void]("document.activeElement.blur()"), chromedp.MouseEvent(chromedp.MouseMoved, 0, 0))
	s.shootForReadme()
	for _, width := range []int64{1280, 375} {
		for _, scheme := range []string{"light", "dark"} {
			s.use(width, scheme)
			s.tour()
		}
	}
	s.use(1280, "light")
	b.open("/live")
	b.do(chromedp.Click(chromedp.CSS("#switch")))
	for range 3 {
		buyMug(t, shop.url)
	}
	b.wait(shows("waiting", "6"))
	s.shoot("live-down")
	s.use(1280, "dark")
	s.shoot("live-down")
}

// shooter takes screenshots with a browser.
type shooter struct {
	*browser
	width  int64
	scheme string
}

func (s *shooter) use(width int64, scheme string) {
	s.t.Helper()
	s.width, s.scheme = width, scheme
	s.do(chromedp.EmulateViewport(width, map[bool]int64{true: 900, false: 812}[width > 600]))
	params := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(s.ctx, emulation.SetEmulatedMedia, params); err != nil {
		s.t.Fatal(err)
	}
}

// tour takes a screenshot of each page.
func (s *shooter) tour() {
	s.t.Helper()
	s.open("/")
	s.press("footer button")
	s.shoot("shop")
	s.open("/cart")
	s.shoot("cart-empty")
	for _, product := range []string{"mug", "teapot", "vase"} {
		s.open("/")
		s.press(fmt.Sprintf(".product:has(input[value=%s]) button", product))
	}
	s.shoot("cart")
	seen := map[string]bool{}
	for range 64 {
		s.open("/checkout")
		name := evaluate[string](s.browser, `document.querySelector("[data-checkout]").dataset.checkout`)
		if !seen[name] {
			seen[name] = true
			s.shoot("checkout-" + name)
		}
		if len(seen) == 2 {
			break
		}
		s.press("footer button")
		s.press(".product:first-child button")
		s.open("/")
		s.press(".product:nth-child(4) button")
	}
	s.press("#buy")
	s.shoot("thanks")
	s.open("/live")
	s.wait(`document.getElementById("rows").childElementCount > 0 && document.getElementById("status").classList.contains("settled")`)
	s.shoot("live")
}

// shoot takes a screenshot of the whole page when all animations have ended.
func (s *shooter) shoot(name string) {
	s.t.Helper()
	s.still()
	s.capture(name)
}

func (s *shooter) capture(name string) {
	s.t.Helper()
	picture, err := chromedp.Run(s.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		s.t.Fatal(err)
	}
	s.save(fmt.Sprintf("%s-%d-%s", name, s.width, s.scheme), picture)
}

// shootForReadme takes the screenshot of /live for the documentation, without the footer.
func (s *shooter) shootForReadme() {
	s.t.Helper()
	s.still()
	height := evaluate[int64](s.browser, `Math.floor(document.querySelector(".bottom").getBoundingClientRect().top + scrollY)`)
	s.do(chromedp.EmulateViewport(s.width, height))
	picture, err := chromedp.Run(s.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		s.t.Fatal(err)
	}
	s.save("live", picture)
	s.use(s.width, s.scheme)
}

// still waits until all animations have ended.
func (s *shooter) still() {
	s.t.Helper()
	s.wait("document.fonts.status === 'loaded' && document.getAnimations().every((a) => a.playState !== 'running')")
}

func (s *shooter) save(name string, picture []byte) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(*screenshots, name+".png"), s.small(picture), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// small reduces the colors of a picture, so that the file is small.
func (s *shooter) small(picture []byte) []byte {
	s.t.Helper()
	original, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		s.t.Fatal(err)
	}
	counts := map[color.RGBA]int{}
	bounds := original.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			c := color.RGBAModel.Convert(original.At(x, y)).(color.RGBA)
			counts[c]++
		}
	}
	frequent := slices.SortedFunc(maps.Keys(counts), func(a, b color.RGBA) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)))
	})
	var colors color.Palette
	for _, c := range frequent[:min(256, len(frequent))] {
		colors = append(colors, c)
	}
	drawn := image.NewPaletted(bounds, colors)
	draw.Draw(drawn, bounds, original, bounds.Min, draw.Src)
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&out, drawn); err != nil {
		s.t.Fatal(err)
	}
	return out.Bytes()
}
