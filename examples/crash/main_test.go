package main

import (
	"bytes"
	"os"
	"regexp"
	"testing"
)

// TestMain is also the start of the shop's process.
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
		`(?m)^SIGKILL. 0 orders have arrived.`,
		`event \d+ 1 custom {"kind":"custom"`,
		`arrived: sandy for 9.99\n  arrived: kim for 19.98\n  arrived: robin for 29.97\n`,
		`arrived: alex for 39.96`,
		`delivered 1 order of its own and 3 of the one that was killed`,
	} {
		if !regexp.MustCompile(want).Match(out.Bytes()) {
			t.Errorf("no %s in\n%s", want, out.String())
		}
	}
}
