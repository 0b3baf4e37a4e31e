package bench

import (
	"context"
	"log/slog"
	"testing"
	"time"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/open-feature/go-sdk/openfeature"

	community "github.com/open-feature/go-sdk-contrib/providers/launchdarkly/pkg"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

// The community provider's behavior described in docs/from-community-provider.md.

func communityBefore(sdkKey string, config ld.Config) error {
	client, err := ld.MakeCustomClient(sdkKey, config, 5*time.Second)
	if err != nil {
		return err
	}
	provider := community.NewProvider(client,
		community.WithKindAttr("contextKind"),
		community.WithCloseOnShutdown(true),
	)
	if err := openfeature.SetProviderAndWait(provider); err != nil {
		return err
	}
	return nil
}

func TestCommunityWiring(t *testing.T) {
	box := launchdarklytest.NewServer()
	defer box.Close()
	defer openfeature.Shutdown()
	if err := communityBefore(box.SDKKey(), box.Config()); err != nil {
		t.Error(err)
	}
}

// TestDifferences compares evaluations of both providers. An empty error code is a success.
func TestDifferences(t *testing.T) {
	type object struct {
		Key string `json:"key"`
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	cases := []struct {
		name       string
		ctx        context.Context
		flag       string
		flat       openfeature.FlattenedContext
		them, ours openfeature.ErrorCode
	}{
		{"a plain user", nil, "", openfeature.FlattenedContext{"targetingKey": "a"}, "", ""},
		{"an empty kind", nil, "", openfeature.FlattenedContext{"targetingKey": "a", "kind": ""},
			"", openfeature.InvalidContextCode},
		{"an invalid kind", nil, "", openfeature.FlattenedContext{"targetingKey": "a", "kind": "a b"},
			openfeature.TargetingKeyMissingCode, openfeature.InvalidContextCode},
		{"an empty targeting key next to a key", nil, "", openfeature.FlattenedContext{"targetingKey": "", "key": "a"},
			openfeature.TargetingKeyMissingCode, ""},
		{"a key of spaces", nil, "", openfeature.FlattenedContext{"key": " "}, openfeature.TargetingKeyMissingCode, ""},
		{"a multi-context of structs", nil, "", openfeature.FlattenedContext{"kind": "multi", "org": object{Key: "a"}},
			openfeature.TargetingKeyMissingCode, ""},
		{"a context that has ended", cancelled, "", openfeature.FlattenedContext{"targetingKey": "a"},
			openfeature.GeneralCode, ""},
		{"beyond int64", nil, "huge", openfeature.FlattenedContext{"targetingKey": "a"},
			"", openfeature.TypeMismatchCode},
	}

	box := launchdarklytest.NewServer()
	defer box.Close()
	box.SetValue("number", 7)
	box.SetValue("huge", 1e300)
	client, err := ld.MakeCustomClient(box.SDKKey(), box.Config(), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	theirs := community.NewProvider(client)
	ours, err := launchdarkly.NewProviderWithClient(client,
		launchdarkly.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Shutdown()

	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			ctx, flag := t.Context(), "number"
			if c.ctx != nil {
				ctx = c.ctx
			}
			if c.flag != "" {
				flag = c.flag
			}
			them := theirs.IntEvaluation(ctx, flag, 1, c.flat)
			us := ours.IntEvaluation(ctx, flag, 1, c.flat)
			if code := them.ResolutionDetail().ErrorCode; code != c.them {
				t.Errorf("the community provider: %q, want %q", code, c.them)
			}
			if code := us.ResolutionDetail().ErrorCode; code != c.ours {
				t.Errorf("this provider: %q, want %q", code, c.ours)
			}
			if c.them == "" && c.ours == "" && (them.Value != us.Value || them.Variant != us.Variant || them.Reason != us.Reason) {
				t.Errorf("%+v is not %+v", them, us)
			}
		})
	}
}

// TestKindBesideItsReplacement sets the context kind in an attribute with another name, and also an
// attribute "kind".
func TestKindBesideItsReplacement(t *testing.T) {
	box := launchdarklytest.NewServer()
	defer box.Close()
	if err := box.SetFlagsJSON(`{"key": "kind", "on": true, "variations": ["neither", "org", "pro"],
		"fallthrough": {"variation": 0}, "contextTargets": [
			{"contextKind": "org", "values": ["a"], "variation": 1},
			{"contextKind": "pro", "values": ["a"], "variation": 2}]}`); err != nil {
		t.Fatal(err)
	}
	client, err := ld.MakeCustomClient(box.SDKKey(), box.Config(), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ours, err := launchdarkly.NewProviderWithClient(client, launchdarkly.WithContextKindAttribute("contextKind"),
		launchdarkly.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Shutdown()
	theirs := community.NewProvider(client, community.WithKindAttr("contextKind"))

	flat := openfeature.FlattenedContext{"targetingKey": "a", "contextKind": "org", "kind": "pro"}
	if them := theirs.StringEvaluation(t.Context(), "kind", "", flat); them.Value != "pro" {
		t.Errorf("the community provider: kind %q", them.Value)
	}
	if us := ours.StringEvaluation(t.Context(), "kind", "", flat); us.Value != "org" {
		t.Errorf("this provider: kind %q", us.Value)
	}
}
