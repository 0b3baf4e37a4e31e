// Package baseline is what an application would write against LaunchDarkly's bare SDK: the floor that tests and benchmarks
// of the hot paths compare with.
package baseline

import (
	"encoding/json"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	ldevents "github.com/launchdarkly/go-sdk-events/v3"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
)

// Context builds a user by hand, from attributes that are strings, ints and bools; others are left out.
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

// Forgetful is an event processor that does nothing, and its configuration. It ends the way of an event where delivery
// would begin.
type Forgetful struct{}

var (
	_ ldevents.EventProcessor                                 = Forgetful{}
	_ subsystems.ComponentConfigurer[ldevents.EventProcessor] = Forgetful{}
)

// Build returns the processor itself.
func (f Forgetful) Build(subsystems.ClientContext) (ldevents.EventProcessor, error) { return f, nil }

// RecordEvaluation does nothing.
func (Forgetful) RecordEvaluation(ldevents.EvaluationData) {}

// RecordIdentifyEvent does nothing.
func (Forgetful) RecordIdentifyEvent(ldevents.IdentifyEventData) {}

// RecordCustomEvent does nothing.
func (Forgetful) RecordCustomEvent(ldevents.CustomEventData) {}

// RecordMigrationOpEvent does nothing.
func (Forgetful) RecordMigrationOpEvent(ldevents.MigrationOpEventData) {}

// RecordRawEvent does nothing.
func (Forgetful) RecordRawEvent(json.RawMessage) {}

// Flush does nothing.
func (Forgetful) Flush() {}

// FlushBlocking has nothing to wait for.
func (Forgetful) FlushBlocking(time.Duration) bool { return true }

// Close does nothing.
func (Forgetful) Close() error { return nil }
