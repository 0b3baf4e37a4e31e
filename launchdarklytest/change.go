package launchdarklytest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
)

func flagChange(flag ldmodel.FeatureFlag) change {
	return change{key: flag.Key, version: flag.Version, encode: func(version int) json.RawMessage {
		flag.Version = version
		data, err := json.Marshal(flag)
		if err != nil {
			flag.Variations = writable(flag.Variations)
			flag.Rules = slices.Clone(flag.Rules)
			for i := range flag.Rules {
				flag.Rules[i].Clauses = writableClauses(flag.Rules[i].Clauses)
			}
			data = mustJSON(flag)
		}
		return data
	}}
}

func segmentChange(segment ldmodel.Segment) change {
	return change{key: segment.Key, version: segment.Version, encode: func(version int) json.RawMessage {
		segment.Version = version
		data, err := json.Marshal(segment)
		if err != nil {
			segment.Rules = slices.Clone(segment.Rules)
			for i := range segment.Rules {
				segment.Rules[i].Clauses = writableClauses(segment.Rules[i].Clauses)
			}
			data = mustJSON(segment)
		}
		return data
	}}
}

// jsonChange validates the JSON with LaunchDarkly's model but stores it unchanged, so that fields
// unknown to the model reach the client.
func jsonChange(data string, model json.Unmarshaler) (change, error) {
	if err := json.Unmarshal([]byte(data), model); err != nil {
		return change{}, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(data), &fields); err != nil {
		return change{}, err
	}
	var key string
	if err := json.Unmarshal(fields["key"], &key); err != nil || key == "" {
		return change{}, errors.New(`"key" is missing`)
	}
	var version int
	if raw, ok := fields["version"]; ok {
		if err := json.Unmarshal(raw, &version); err != nil {
			return change{}, fmt.Errorf(`"version": %w`, err)
		}
	}
	return change{key: key, version: version, encode: func(version int) json.RawMessage {
		fields := maps.Clone(fields)
		fields["version"] = json.RawMessage(strconv.Itoa(version))
		return mustJSON(fields)
	}}, nil
}

// writable replaces values that JSON cannot represent, such as NaN, with null.
func writable(values []ldvalue.Value) []ldvalue.Value {
	values = slices.Clone(values)
	for i, value := range values {
		if _, err := json.Marshal(value); err != nil {
			values[i] = ldvalue.Null()
		}
	}
	return values
}

func writableClauses(clauses []ldmodel.Clause) []ldmodel.Clause {
	clauses = slices.Clone(clauses)
	for i := range clauses {
		clauses[i].Values = writable(clauses[i].Values)
	}
	return clauses
}
