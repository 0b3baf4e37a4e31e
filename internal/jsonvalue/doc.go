// Package jsonvalue converts Go values of any type to LaunchDarkly's JSON values. No value makes it
// panic, overflow the stack or run for long, and its results never make a payload invalid JSON.
// They share no memory with the input that could change later.
//
// A value becomes what [encoding/json.Marshal] would write: struct tags, embedded structs,
// omitempty, omitzero and string, json.Marshaler and encoding.TextMarshaler, []byte as base64, map
// keys. FuzzStructs and FuzzConvert hold the two against each other. The exceptions:
//
//	Go                                      here                            encoding/json
//	time.Time                               RFC 3339 in UTC                 RFC 3339 in its own zone
//	error                                   its text                        its exported fields, often {}
//	driver.Valuer, unless its value is      its value                       its exported fields
//	a []byte (a column of encoded data)
//	AsTime() time.Time                      as that time.Time               its exported fields
//	openfeature.EvaluationContext           an object with targetingKey     {}
//	a struct with a cycle, a NaN, a channel that member left out            an error for the whole value
//	an array with such an element           null in its place               an error for the whole value
//	an integer beyond 2^53                  the nearest float64, and        its digits
//	                                        ErrPrecision
//	what is nested beyond [MaxDepth]        left out                        the same as above, up to 1,000 pointers
//	what exceeds a [Budget]                 left out as a whole             any size
//	a nil pointer in an interface type      null                            calls its method
//	with MarshalJSON or MarshalText
//
// error, driver.Valuer and AsTime only apply to types without a json.Marshaler or
// encoding.TextMarshaler, in this order.
package jsonvalue
