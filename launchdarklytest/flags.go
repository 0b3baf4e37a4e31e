package launchdarklytest

import (
	"encoding/json"
	"fmt"

	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"

	"github.com/openfeature-launchdarkly/go-provider/internal/jsonvalue"
)

// SetValue sets a flag that is on and serves one value to every context, with the reason
// FALLTHROUGH, variation 0, and no event tracking. See [Server.SetFlags] for other flags.
//
//	server.SetValue("new-checkout", true)
//	server.SetValue("theme", map[string]any{"color": "green"})
//
// The value is an ldvalue.Value or any value that encoding/json can encode. Values that JSON cannot
// represent, such as NaN, are replaced by null at the top level and in arrays, and omitted
// elsewhere.
func (s *Server) SetValue(key string, value any) {
	served, _, _ := jsonvalue.Convert(value)
	s.SetFlags(ldbuilders.NewFlagBuilder(key).
		On(true).
		Variations(served).
		FallthroughVariation(0).
		OffVariation(0).
		Build())
}

// SetFlags adds flags, replacing those with the same key, and sends them to the connected streams.
// The changes of one call are sent without changes of other calls in between.
//
// A flag's version is the builder's if it is greater than the previous one, and the previous one
// plus 1 otherwise. Flags without a key are ignored. Values that JSON cannot represent, such as
// NaN, are replaced by null.
func (s *Server) SetFlags(flags ...ldmodel.FeatureFlag) {
	changes := make([]change, len(flags))
	for i, flag := range flags {
		changes[i] = flagChange(flag)
	}
	s.applyChanges(&s.data.flags, changes)
}

// SetFlagsJSON is like [Server.SetFlags] for flags in LaunchDarkly's JSON representation, one flag
// per string:
//
//	err := server.SetFlagsJSON(`{"key": "limit", "offVariation": 0, "variations": [10, 20]}`)
//
// It returns an error and changes nothing if any of them is invalid JSON, does not fit
// LaunchDarkly's flag model, or has no key. Fields that are unknown to the model are preserved.
func (s *Server) SetFlagsJSON(flags ...string) error {
	changes, err := jsonChanges("flag", flags, func() json.Unmarshaler { return new(ldmodel.FeatureFlag) })
	if err == nil {
		s.applyChanges(&s.data.flags, changes)
	}
	return err
}

// DeleteFlags deletes flags and sends the deletions to the connected streams. Unknown keys are
// ignored.
func (s *Server) DeleteFlags(keys ...string) { s.applyDeletions(&s.data.flags, keys) }

// SetSegments is like [Server.SetFlags] for segments.
func (s *Server) SetSegments(segments ...ldmodel.Segment) {
	changes := make([]change, len(segments))
	for i, segment := range segments {
		changes[i] = segmentChange(segment)
	}
	s.applyChanges(&s.data.segments, changes)
}

// SetSegmentsJSON is like [Server.SetFlagsJSON] for segments.
func (s *Server) SetSegmentsJSON(segments ...string) error {
	changes, err := jsonChanges("segment", segments, func() json.Unmarshaler { return new(ldmodel.Segment) })
	if err == nil {
		s.applyChanges(&s.data.segments, changes)
	}
	return err
}

// DeleteSegments is like [Server.DeleteFlags] for segments.
func (s *Server) DeleteSegments(keys ...string) { s.applyDeletions(&s.data.segments, keys) }

func jsonChanges(what string, items []string, model func() json.Unmarshaler) ([]change, error) {
	changes := make([]change, 0, len(items))
	for i, item := range items {
		ch, err := jsonChange(item, model())
		if err != nil {
			return nil, fmt.Errorf("launchdarklytest: %s %d of %d: %w", what, i+1, len(items), err)
		}
		changes = append(changes, ch)
	}
	return changes, nil
}

func (s *Server) applyChanges(c *collection, changes []change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var updates []update
	for _, ch := range changes {
		if ch.key != "" {
			updates = append(updates, c.set(ch, s.data.revision+1))
		}
	}
	s.broadcast(updates)
}

func (s *Server) applyDeletions(c *collection, keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var updates []update
	for _, key := range keys {
		if u, ok := c.delete(key, s.data.revision+1); ok {
			updates = append(updates, u)
		}
	}
	s.broadcast(updates)
}

// broadcast increments the revision of the data and sends the updates to all streams but the held
// ones, which receive all data when they are released. The caller must hold s.mu.
func (s *Server) broadcast(updates []update) {
	if len(updates) == 0 {
		return
	}
	s.data.revision++
	messages := make(map[protocol][]byte)
	for st := range s.streams {
		if st.held {
			continue
		}
		if _, ok := messages[st.protocol]; !ok {
			messages[st.protocol] = st.protocol.changes(&s.data, updates)
		}
		st.send(messages[st.protocol])
	}
}
