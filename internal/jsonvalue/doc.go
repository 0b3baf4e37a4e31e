// Package jsonvalue turns any Go value into LaunchDarkly's JSON value, so that nothing that an application passes in
// can panic, overflow the stack, or end up as a payload that is not valid JSON.
//
// It follows encoding/json (struct tags, embedded structs, json.Marshaler, encoding.TextMarshaler, []byte as base64),
// with three differences:
//
//   - what has no JSON form is left out, and named, instead of failing the whole value: NaN, infinities, channels,
//     functions, cycles, and what is nested too deep or grows too large;
//   - a [time.Time] is a string in UTC, so that LaunchDarkly's before and after operators can read it;
//   - a marshaler that panics counts as a value without a JSON form.
//
// The result shares no memory with the input that could change later.
package jsonvalue
