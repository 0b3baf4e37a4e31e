package launchdarklytest

import (
	"encoding/json"
	"fmt"

	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"

	"github.com/openfeature-launchdarkly/go-provider/internal/jsonvalue"
)

// SetValue defines, or redefines, a flag that is on and serves this one value to every context: reason
// FALLTHROUGH, variation 0, not tracked. It is [Server.SetFlags] for the commonest case.
//
//	box.SetValue("new-checkout", true)
//	box.SetValue("theme", map[string]any{"color": "green"})
//
// The value is an ldvalue.Value, or anything that encoding/json can write. What JSON cannot carry, such as
// NaN, is left out, and served as null where it is the value itself or stands in an array.
func (s *Server) SetValue(key string, value any) {
	served, _, _ := jsonvalue.Convert(value)
	s.SetFlags(ldbuilders.NewFlagBuilder(key).
		On(true).
		Variations(served).
		FallthroughVariation(0).
		OffVariation(0).
		Build())
}

// SetFlags adds the flags, or replaces those with the same key, and tells the connected streams, all in
// one go: no client sees a change of anybody else's between two of these.
//
// A flag's version is the builder's where that is an update, and one above the previous one otherwise.
// A flag without a key is ignored. Values that JSON cannot carry, such as NaN, are served as null.
func (s *Server) SetFlags(flags ...ldmodel.FeatureFlag) {
	changes := make([]change, len(flags))
	for i, flag := range flags {
		changes[i] = flagChange(flag)
	}
	s.set(&s.data.flags, changes)
}

// SetFlagsJSON is [Server.SetFlags] for flags in LaunchDarkly's JSON, one flag a string, as its
// streaming and polling services send them:
//
//	err := box.SetFlagsJSON(`{"key": "limit", "on": false, "offVariation": 0, "variations": [10, 20]}`)
//
// It returns an error and changes nothing when one of them is not valid JSON, does not fit
// LaunchDarkly's model of a flag, or has no key. Fields that the model does not know are kept.
func (s *Server) SetFlagsJSON(flags ...string) error {
	changes, err := jsonChanges("flag", flags, func() json.Unmarshaler { return new(ldmodel.FeatureFlag) })
	if err == nil {
		s.set(&s.data.flags, changes)
	}
	return err
}

// DeleteFlags removes flags and tells the connected streams in one go. Unknown keys are ignored.
func (s *Server) DeleteFlags(keys ...string) { s.delete(&s.data.flags, keys) }

// SetSegments does for segments what [Server.SetFlags] does for flags.
func (s *Server) SetSegments(segments ...ldmodel.Segment) {
	changes := make([]change, len(segments))
	for i, segment := range segments {
		changes[i] = segmentChange(segment)
	}
	s.set(&s.data.segments, changes)
}

// SetSegmentsJSON does for segments what [Server.SetFlagsJSON] does for flags.
func (s *Server) SetSegmentsJSON(segments ...string) error {
	changes, err := jsonChanges("segment", segments, func() json.Unmarshaler { return new(ldmodel.Segment) })
	if err == nil {
		s.set(&s.data.segments, changes)
	}
	return err
}

// DeleteSegments does for segments what [Server.DeleteFlags] does for flags.
func (s *Server) DeleteSegments(keys ...string) { s.delete(&s.data.segments, keys) }

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

func (s *Server) set(c *collection, changes []change) {
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

func (s *Server) delete(c *collection, keys []string) {
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

// broadcast makes the updates the next revision of the data, and hands them to the streams that have had
// their data already; the others will get it all. The caller holds s.mu.
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
