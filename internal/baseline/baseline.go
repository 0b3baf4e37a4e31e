// Package baseline is the code that an application would write with LaunchDarkly's SDK alone. Tests
// and benchmarks compare the provider's hot paths with it.
package baseline

import (
	"encoding/json"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	ldevents "github.com/launchdarkly/go-sdk-events/v3"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
)

// Context builds a user context from attributes that are strings, ints and bools. It ignores
// others.
func Context(key string, attributes map[string]any) ldcontext.Context {
	b := ldcontext.NewBuilder(key)
	for name, v := range attributes {
		switch v := v.(type) {
		case string:
			b.SetString(name, v)
		case int:
			b.SetInt(name, v)
		case bool:
			b.SetBool(name, v)
		}
	}
	return b.Build()
}

// NopEventProcessor is an event processor that discards all events, and its own configurer.
type NopEventProcessor struct{}

var (
	_ ldevents.EventProcessor                                 = NopEventProcessor{}
	_ subsystems.ComponentConfigurer[ldevents.EventProcessor] = NopEventProcessor{}
)

// Build returns the processor itself.
func (f NopEventProcessor) Build(subsystems.ClientContext) (ldevents.EventProcessor, error) {
	return f, nil
}

// RecordEvaluation does nothing.
func (NopEventProcessor) RecordEvaluation(ldevents.EvaluationData) {}

// RecordIdentifyEvent does nothing.
func (NopEventProcessor) RecordIdentifyEvent(ldevents.IdentifyEventData) {}

// RecordCustomEvent does nothing.
func (NopEventProcessor) RecordCustomEvent(ldevents.CustomEventData) {}

// RecordMigrationOpEvent does nothing.
func (NopEventProcessor) RecordMigrationOpEvent(ldevents.MigrationOpEventData) {}

// RecordRawEvent does nothing.
func (NopEventProcessor) RecordRawEvent(json.RawMessage) {}

// Flush does nothing.
func (NopEventProcessor) Flush() {}

// FlushBlocking returns true.
func (NopEventProcessor) FlushBlocking(time.Duration) bool { return true }

// Close does nothing.
func (NopEventProcessor) Close() error { return nil }
