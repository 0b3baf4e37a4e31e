package docs_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces/flagstate"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
	"github.com/openfeature-launchdarkly/go-provider/launchdarklytest"
)

func sdkStartBefore(sdkKey string, config ld.Config) {
	client, err := ld.MakeCustomClient(sdkKey, config, 5*time.Second)
	if err != nil {
		log.Println("no feature flags yet:", err)
	}
	defer client.Close()
}

func sdkStartAfter(sdkKey string, config ld.Config) error {
	provider, err := launchdarkly.NewProvider(sdkKey,
		launchdarkly.WithConfig(config),
		launchdarkly.WithInitTimeout(5*time.Second),
	)
	if err != nil {
		return err // the configuration is wrong
	}
	defer openfeature.Shutdown()
	if err := openfeature.SetProviderAndWait(provider); err != nil {
		log.Println("no feature flags yet:", err)
	}
	client := openfeature.NewDefaultClient()

	if state := client.State(); state != openfeature.ReadyState {
		return fmt.Errorf("the state is %s", state)
	}
	return nil
}

func TestStartFromSDK(t *testing.T) {
	box := launchdarklytest.NewServer()
	defer box.Close()
	sdkStartBefore(box.SDKKey(), box.Config())
	if err := sdkStartAfter(box.SDKKey(), box.Config()); err != nil {
		t.Error(err)
	}
}

// migration has both APIs on top of one client.
type migration struct {
	box      *launchdarklytest.Server
	provider *launchdarkly.Provider
	ldClient *ld.LDClient
	client   *openfeature.Client
}

func startMigration(t *testing.T) migration {
	t.Helper()
	box := launchdarklytest.NewServer()
	t.Cleanup(box.Close)
	box.SetValue("new-checkout", true)
	provider, err := launchdarkly.NewProvider(box.SDKKey(), launchdarkly.WithConfig(box.Config()))
	if err != nil {
		t.Fatal(err)
	}
	if err := openfeature.SetNamedProviderAndWait(t.Name(), provider); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(openfeature.Shutdown)
	return migration{box, provider, provider.Client(), openfeature.NewClient(t.Name())}
}

// TestContextsFromSDK compares the contexts that LaunchDarkly receives for each pair.
func TestContextsFromSDK(t *testing.T) {
	before := func() []ldcontext.Context {
		user := ldcontext.NewBuilder("user-42").
			Name("Sandy").
			SetString("email", "sandy@example.com").
			Private("email").
			Build()
		organization := ldcontext.NewWithKind("org", "acme")
		both := ldcontext.NewMulti(user, organization)
		return []ldcontext.Context{user, organization, both}
	}()
	after := func() []openfeature.EvaluationContext {
		user := openfeature.NewEvaluationContext("user-42", map[string]any{
			"name":              "Sandy",
			"email":             "sandy@example.com",
			"privateAttributes": []string{"email"},
		})
		organization := openfeature.NewEvaluationContext("acme", map[string]any{"kind": "org"})
		both := openfeature.NewTargetlessEvaluationContext(map[string]any{
			"kind": "multi",
			"user": user,
			"org":  organization,
		})
		return []openfeature.EvaluationContext{user, organization, both}
	}()

	m := startMigration(t)
	for i := range before {
		_ = m.ldClient.TrackEvent("context", before[i])
		m.client.Track(t.Context(), "context", after[i], openfeature.TrackingEventDetails{})
	}
	events := m.received(t)
	for i := 0; i < len(events); i += 2 {
		if !events[i].Context.Equal(events[i+1].Context) {
			t.Errorf("%s is not %s", events[i+1].Context, events[i].Context)
		}
	}
}

func TestEvaluationsFromSDK(t *testing.T) {
	m := startMigration(t)
	ctx, ldClient, client := t.Context(), m.ldClient, m.client
	who, user := ldcontext.New("user-42"), openfeature.NewEvaluationContext("user-42", nil)

	before := func() (bool, error) {
		enabled, err := ldClient.BoolVariationCtx(ctx, "new-checkout", who, false)
		return enabled, err
	}
	after := func() (bool, error) {
		enabled, err := client.BooleanValue(ctx, "new-checkout", false, user)
		return enabled, err
	}
	scopedBefore := func() (bool, error) {
		scoped := ld.NewScopedClient(ldClient, who)
		enabled, err := scoped.BoolVariation("new-checkout", false)
		return enabled, err
	}
	scopedAfter := func() (bool, error) {
		ctx := t.Context()
		ctx = openfeature.WithTransactionContext(ctx, user)
		enabled, err := client.BooleanValue(ctx, "new-checkout", false, openfeature.EvaluationContext{})
		return enabled, err
	}
	for name, evaluate := range map[string]func() (bool, error){
		"before": before, "after": after, "scoped before": scopedBefore, "scoped after": scopedAfter,
	} {
		if enabled, err := evaluate(); !enabled || err != nil {
			t.Errorf("%s: %t, %v", name, enabled, err)
		}
	}

	details := func() error {
		details, err := client.BooleanValueDetails(ctx, "new-checkout", false, user)
		if err != nil {
			return err
		}
		ruleID, _ := details.FlagMetadata.GetString(launchdarkly.MetadataRuleID)
		fmt.Println(details.Value, details.Variant, details.Reason, ruleID)
		return nil
	}
	if err := details(); err != nil {
		t.Error(err)
	}
}

// TestTrackingFromSDK compares the events that LaunchDarkly receives from both APIs.
func TestTrackingFromSDK(t *testing.T) {
	m := startMigration(t)
	ctx, ldClient, client := t.Context(), m.ldClient, m.client
	who, user := ldcontext.New("user-42"), openfeature.NewEvaluationContext("user-42", nil)

	_ = ldClient.TrackEvent("opened", who)
	_ = ldClient.TrackData("searched", who, ldvalue.ObjectBuild().SetString("query", "shoes").Build())
	_ = ldClient.TrackData("rated", who, ldvalue.Int(5))
	_ = ldClient.TrackMetric("retries", who, 0, ldvalue.Null())
	_ = ldClient.TrackMetric("purchase", who, 99.90, ldvalue.ObjectBuild().SetString("currency", "EUR").Build())
	before := m.received(t)

	m.box.ClearEvents()
	client.Track(ctx, "opened", user, openfeature.TrackingEventDetails{})
	client.Track(ctx, "searched", user, openfeature.NewTrackingEventDetails(math.NaN()).Add("query", "shoes"))
	client.Track(ctx, "rated", user, openfeature.NewTrackingEventDetails(math.NaN()).Add(launchdarkly.TrackingDataKey, 5))
	client.Track(ctx, "retries", user, openfeature.NewTrackingEventDetails(0))
	client.Track(ctx, "purchase", user, openfeature.NewTrackingEventDetails(99.90).Add("currency", "EUR"))
	after := m.received(t)

	if len(before) != 5 || len(after) != len(before) {
		t.Fatalf("%d and %d events", len(before), len(after))
	}
	for i := range before {
		if a, b := essence(before[i]), essence(after[i]); a != b || !before[i].Context.Equal(after[i].Context) {
			t.Errorf("%s %s is not %s %s", b, after[i].Context, a, before[i].Context)
		}
	}
}

func essence(event launchdarklytest.Event) string {
	metric := "none"
	if event.MetricValue != nil {
		metric = fmt.Sprint(*event.MetricValue)
	}
	return fmt.Sprintf("%s, metric %s, data %t %s", event.Key, metric, event.HasData, event.Data)
}

// received flushes, and returns the custom events.
func (m migration) received(t *testing.T) []launchdarklytest.Event {
	t.Helper()
	if err := m.provider.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return m.box.CustomEvents()
}

func TestMergedContextsFromSDK(t *testing.T) {
	m := startMigration(t)
	merged := func(ctx context.Context) context.Context {
		ctx = openfeature.WithTransactionContext(ctx, openfeature.NewTargetlessEvaluationContext(map[string]any{
			"kind": "multi",
			"user": map[string]any{"key": "user-42"},
		}))
		ctx = openfeature.MergeTransactionContext(ctx, openfeature.NewTargetlessEvaluationContext(map[string]any{
			"org": map[string]any{"key": "acme"},
		}))
		return ctx
	}
	m.client.Track(merged(t.Context()), "merged", openfeature.EvaluationContext{}, openfeature.TrackingEventDetails{})
	if keys := m.received(t)[0].ContextKeys(); keys["user"] != "user-42" || keys["org"] != "acme" {
		t.Errorf("the context is %v", keys)
	}
}

func TestClientFromSDK(t *testing.T) {
	m := startMigration(t)
	provider, user := m.provider, openfeature.NewEvaluationContext("user-42", nil)
	identify := func() error {
		who, _, err := provider.LDContext(user)
		if err != nil {
			return err
		}
		if err := provider.Client().Identify(who); err != nil {
			return err
		}
		state := provider.Client().AllFlagsState(who, flagstate.OptionClientSideOnly())
		if !state.IsValid() {
			return errors.New("the state is not valid")
		}
		return nil
	}
	if err := identify(); err != nil {
		t.Error(err)
	}
}

func TestListenersFromSDK(t *testing.T) {
	m := startMigration(t)
	if err := m.box.WaitForStreams(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	ldClient := m.ldClient
	reloaded := make(chan string, 2)
	reload := func(key string) { reloaded <- key }

	changes := ldClient.GetFlagTracker().AddFlagChangeListener()
	go func() {
		for change := range changes {
			reload(change.Key)
		}
	}()

	onChange := func(details openfeature.EventDetails) {
		for _, key := range details.FlagChanges {
			reload(key)
		}
	}
	openfeature.AddHandler(openfeature.ProviderConfigChange, &onChange)
	t.Cleanup(func() { openfeature.RemoveHandler(openfeature.ProviderConfigChange, &onChange) })

	m.box.SetValue("new-checkout", false)
	for range 2 { // one from each API
		if key := <-reloaded; key != "new-checkout" {
			t.Errorf("%s has changed", key)
		}
	}
}
