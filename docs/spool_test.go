package docs_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/delivery"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

var _ = spoolOptions // it would look for LaunchDarkly

func spoolOptions(sdkKey string) (*launchdarkly.Provider, error) {
	provider, err := launchdarkly.NewProvider(sdkKey,
		launchdarkly.WithDelivery(delivery.WithSpool("/var/lib/shop/launchdarkly")),
	)
	return provider, err
}

// The document describes all files and records that there are.
func TestSpool(t *testing.T) {
	text, err := os.ReadFile("spool.md")
	if err != nil {
		t.Fatal(err)
	}
	box := launchdarklytest.NewServer()
	defer box.Close()
	box.RefuseEvents(503)
	directory := t.TempDir()
	provider, err := launchdarkly.NewProvider(box.SDKKey(), launchdarkly.WithConfig(box.Config()),
		launchdarkly.WithDelivery(delivery.WithSpool(directory)))
	if err != nil {
		t.Fatal(err)
	}
	if err := openfeature.SetProviderAndWait(provider); err != nil {
		t.Fatal(err)
	}
	openfeature.NewDefaultClient().Track(t.Context(), "order", openfeature.NewEvaluationContext("sandy", nil),
		openfeature.TrackingEventDetails{})
	ended, cancel := context.WithTimeout(context.Background(), 1)
	defer cancel()
	_ = provider.ShutdownWithContext(ended)
	files, err := os.ReadDir(directory)
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		if kind := filepath.Ext(file.Name()); !strings.Contains(string(text), kind+"`") {
			t.Errorf("not described: %s", file.Name())
		}
		content, err := os.ReadFile(filepath.Join(directory, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(content)) {
			if columns := strings.Fields(line); !strings.Contains(string(text), "| `"+columns[2]+"` |") {
				t.Errorf("not described: %s", line)
			}
		}
	}
}
