package hooks_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"

	"github.com/openfeature-launchdarkly/go-provider/hooks"
)

// keeping is an asynchronous handler: it reads records after Handle has returned.
type keeping struct {
	slog.Handler
	records chan slog.Record
}

func (keeping) Enabled(context.Context, slog.Level) bool { return true }

func (k keeping) Handle(_ context.Context, record slog.Record) error {
	k.records <- record
	return nil
}

// A record must not share the attributes' memory, which the hook reuses.
func TestRecordsOutliveTheirEvent(t *testing.T) {
	t.Parallel()
	const goroutines, rounds = 4, 100
	handler := keeping{records: make(chan slog.Record, goroutines*rounds)}
	hook := hooks.NewEvaluationHook(hooks.NewSlogSink(slog.New(handler), nil),
		hooks.WithEventMutator(func(e *hooks.Event) { e.Set(slog.String("id", e.EvaluationContext.TargetingKey())) }))
	client := newClient(t, provider(), hook)
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range rounds {
				client.Boolean(context.Background(), "bool", false, user(strconv.Itoa(g*rounds+i)))
			}
		})
	}
	for range goroutines * rounds {
		record := <-handler.records
		got := map[string]string{}
		record.Attrs(func(attr slog.Attr) bool {
			got[attr.Key] = attr.Value.String()
			return true
		})
		if len(got) != 6 || got["id"] != got["feature_flag.context.id"] || got["feature_flag.key"] != "bool" {
			t.Errorf("got %v", got)
		}
	}
	wg.Wait()
}

// The caller did not get the value that was part of an experiment.
func TestFailingAfterHookLeavesNoExposure(t *testing.T) {
	t.Parallel()
	var sink recorder
	p := resolving(true, openfeature.ProviderResolutionDetail{
		Reason: "RULE_MATCH", Variant: "1",
		FlagMetadata: openfeature.FlagMetadata{
			"reasonKind": "RULE_MATCH", "inExperiment": true, "contextId": "org:acme", "version": "7",
		},
	})
	client := newClient(t, p, hooks.NewEvaluationHook(&sink), failing{after: boom})
	if _, err := client.BooleanValue(context.Background(), "flag", false, user("anna")); err == nil {
		t.Fatal("no error")
	}
	want := map[string]any{
		"feature_flag.key":           "flag",
		"feature_flag.provider.name": "InMemoryProvider",
		"feature_flag.result.value":  false,
		"feature_flag.result.reason": "error",
		"feature_flag.context.id":    "org:acme",
		"feature_flag.version":       "7",
		"error.type":                 "general",
		"error.message":              "after hook: boom",
		"feature_flag.error.message": "after hook: boom",
	}
	if got := attributes(sink.only(t)); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// fatal is a provider whose initialization fails permanently.
type fatal struct{ openfeature.FeatureProvider }

func (fatal) Init(openfeature.EvaluationContext) error {
	return &openfeature.ProviderInitError{ErrorCode: openfeature.ProviderFatalCode, Message: "invalid key"}
}
func (fatal) Shutdown()                      {}
func (fatal) Hooks() []openfeature.Hook      { return nil }
func (fatal) Metadata() openfeature.Metadata { return openfeature.Metadata{Name: "fatal"} }

func TestProviderFatal(t *testing.T) {
	t.Parallel()
	var sink recorder
	api := isolated.NewAPI()
	t.Cleanup(func() { _ = api.Shutdown(context.Background()) })
	if err := api.SetProviderAndWait(context.Background(), fatal{provider()}); err == nil {
		t.Fatal("initialized")
	}
	_, err := api.NewClient().BooleanValue(context.Background(), "bool", true, user("anna"),
		openfeature.WithHooks(hooks.NewEvaluationHook(&sink)))
	if !errors.Is(err, openfeature.ProviderFatalError) {
		t.Fatalf("got error %v", err)
	}
	got := attributes(sink.only(t))
	if got["error.type"] != "provider_fatal" || got["error.message"] == "" || got["feature_flag.result.value"] != true ||
		got["feature_flag.result.reason"] != "error" {
		t.Errorf("got %v", got)
	}
}

// The hook does not recover panics of the provider.
func TestPanicOfTheProviderPropagates(t *testing.T) {
	t.Parallel()
	var sink recorder
	client := newClient(t, panickingProvider{provider()}, hooks.NewEvaluationHook(&sink))
	func() {
		defer func() {
			if p := recover(); p != "provider" {
				t.Errorf("recovered %v", p)
			}
		}()
		client.Boolean(context.Background(), "bool", false, user("anna"))
	}()
	got := attributes(sink.only(t))
	if got["feature_flag.result.value"] != false || got["feature_flag.result.reason"] != "unknown" {
		t.Errorf("got %v", got)
	}
}

type panickingProvider struct{ openfeature.FeatureProvider }

func (panickingProvider) BooleanEvaluation(context.Context, string, bool, openfeature.FlattenedContext) openfeature.BoolResolutionDetail {
	panic("provider")
}

// evaluating is a handler that evaluates a flag for each record, with the hook that logs.
type evaluating struct {
	slog.Handler
	client *openfeature.Client
}

func (evaluating) Enabled(context.Context, slog.Level) bool { return true }

func (e *evaluating) Handle(ctx context.Context, _ slog.Record) error {
	e.client.Boolean(ctx, "bool", false, user("log"))
	return nil
}

func TestLoggerThatEvaluates(t *testing.T) {
	t.Parallel()
	var handler evaluating
	hook := hooks.NewEvaluationHook(panicking{}, hooks.WithLogger(slog.New(&handler)))
	handler.client = newClient(t, provider(), hook)
	client := newClient(t, provider(), hook)
	done := make(chan bool, 1)
	go func() { done <- client.Boolean(context.Background(), "bool", false, user("anna")) }()
	select {
	case got := <-done:
		if !got {
			t.Error("evaluation changed")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the evaluation hangs")
	}
}

// parent is a LogValuer that contains itself.
type parent struct{ children int }

func (p parent) LogValue() slog.Value {
	attrs := make([]slog.Attr, p.children)
	for i := range attrs {
		attrs[i] = slog.Any("child"+strconv.Itoa(i), p)
	}
	return slog.GroupValue(attrs...)
}

func TestGroupsAreBounded(t *testing.T) {
	t.Parallel()
	cyclic := make([]slog.Attr, 1)
	cyclic[0] = slog.Attr{Key: "self", Value: slog.GroupValue(cyclic...)}
	deep := slog.Int("n", 1)
	for range 50 {
		deep = slog.Attr{Key: "g", Value: slog.GroupValue(deep)}
	}
	for _, tt := range []struct {
		name string
		attr slog.Attr
		want string
	}{
		{"cyclic group", slog.Attr{Key: "x", Value: slog.GroupValue(cyclic...)}, "[]slog.Attr"},
		{"LogValuer with itself", slog.Any("x", parent{1}), "[]slog.Attr"},
		{"LogValuer with itself, twice", slog.Any("x", parent{2}), "[]slog.Attr"},
		{"deep", slog.Attr{Key: "x", Value: deep.Value}, strings.Repeat(`{"g":`, 49) + `{"n":1}` + strings.Repeat("}", 49)},
		{"empty", slog.Attr{Key: "x", Value: slog.GroupValue()}, "{}"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			event := evaluate(t, "v", "x", hooks.WithEventMutator(func(e *hooks.Event) { e.Set(tt.attr) }))[0]
			if got := attributes(event)["x"]; got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestKeysAndNamesAreUTF8(t *testing.T) {
	t.Parallel()
	event := evaluate(t, "v", "x", hooks.WithEventMutator(func(e *hooks.Event) {
		e.Name = "a\xffb"
		e.Set(slog.Int("k\xff", 1))
	}))[0]
	if got := attributes(event)["k\uFFFD"]; event.Name != "a\uFFFDb" || got != int64(1) {
		t.Errorf("got name %q, %v", event.Name, attributes(event))
	}
}

// An event must not expose attributes of an earlier event.
func TestBuffersAreClean(t *testing.T) {
	t.Parallel()
	for name, mutate := range map[string]func(*hooks.Event){
		"plain":    nil,
		"cut off":  func(e *hooks.Event) { e.Attributes = e.Attributes[:1] },
		"replaced": func(e *hooks.Event) { e.Attributes = []slog.Attr{e.Attributes[0]} },
		"grown": func(e *hooks.Event) {
			for i := range 40 {
				e.Set(slog.Int(strconv.Itoa(i), i))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sink peeking
			var option hooks.Option
			if mutate != nil {
				option = hooks.WithEventMutator(func(e *hooks.Event) {
					if e.FlagKey == "none" {
						mutate(e)
					}
				})
			}
			client := newClient(t, provider(), hooks.NewEvaluationHook(&sink, option))
			for range 10 {
				client.String(context.Background(), "string", "", user("anna"))
				client.String(context.Background(), "none", "", user("anna"))
			}
			if len(sink.left) == 0 {
				t.Fatal("no event had room behind its attributes")
			}
			for _, left := range sink.left {
				if !reflect.DeepEqual(left, slog.Attr{}) {
					t.Fatalf("an earlier event left %v", left)
				}
			}
		})
	}
}

// peeking is a sink that reads the memory behind an event's attributes.
type peeking struct{ left []slog.Attr }

func (*peeking) Enabled(context.Context) bool { return true }

func (p *peeking) Emit(_ context.Context, event hooks.Event) {
	attrs := event.Attributes
	if cap(attrs) == 16 && event.FlagKey == "string" { // the hook's room
		p.left = append(p.left, attrs[len(attrs):cap(attrs)]...)
	}
}

// If a hook panics in its finally stage, the finally stages of other hooks do not run.
func TestMissingErrorIsLoggedOnce(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	var sink recorder
	hook := hooks.NewEvaluationHook(&sink, hooks.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	for i := range 1100 { // more than the failures that are kept
		hc := openfeature.NewHookContext("flag", openfeature.Boolean, false, openfeature.ClientMetadata{},
			openfeature.Metadata{}, user(strconv.Itoa(i)))
		hook.Error(context.Background(), hc, errBoom, openfeature.HookHints{})
	}
	if lines := strings.Count(log.String(), "\n"); lines != 1 || !strings.Contains(log.String(), "level=WARN") {
		t.Errorf("got %d lines: %s", lines, &log)
	}
}

func TestErrorOfTheProviderIsNotMissing(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	var sink recorder
	client := newClient(t, provider(),
		hooks.NewEvaluationHook(&sink, hooks.WithLogger(slog.New(slog.NewTextHandler(&log, nil)))))
	for range 2000 { // more than the failures that are kept
		client.Boolean(context.Background(), "none", false, user("anna"))
	}
	if log.Len() > 0 {
		t.Errorf("logged %s", &log)
	}
	for _, event := range sink.all() {
		if event.ErrorCode != openfeature.FlagNotFoundCode {
			t.Fatalf("got %+v", event)
		}
	}
}
