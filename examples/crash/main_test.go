package main

import (
	"bytes"
	"os"
	"regexp"
	"testing"
)

// TestMain also starts the shop's process.
func TestMain(m *testing.M) {
	if os.Getenv(urlVariable) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestOrdersSurviveTheShop(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`LaunchDarkly has received 0 orders`,
		`event \d+ 1 custom {"kind":"custom"`,
		`received: sandy for 9.99\n  received: kim for 19.98\n  received: robin for 29.97\n`,
		`received: alex for 39.96`,
		`delivered 1 of its own orders and 3 of the previous shop`,
	} {
		if !regexp.MustCompile(want).Match(out.Bytes()) {
			t.Errorf("no %s in\n%s", want, out.String())
		}
	}
}
