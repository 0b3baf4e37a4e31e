package jsonvalue

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
)

// json parses text that claims to be JSON. It becomes a structured value rather than LaunchDarkly's
// raw type, because LaunchDarkly can neither evaluate rules on parts of a raw value nor redact its
// private parts. invalid is the problem to report if the text is not JSON.
func (c *converter) json(out *ldvalue.Value, text []byte, depth int, invalid error) bool {
	before := c.spent.bytes
	if !c.begin(0, 0) || !c.spend(0, len(text)) {
		return false
	}
	if !json.Valid(text) { // refuses what is nested thousands of levels deep, too
		return c.fail(invalid)
	}
	after := c.spent.bytes
	c.spent.bytes = before // names count as they are parsed
	c.text = string(text)
	ok := c.parse(out, depth)
	c.spent.bytes = after
	return ok
}

// rawValues is what a value in raw JSON counts as: parsing it takes as long as converting two.
const rawValues = 2

// The methods below build a value from the text, which is valid JSON, and pass over what they have
// parsed. encoding/json could only build a second tree of Go values first, however large, and would
// round integers silently.

// peek skips white space, and returns the first byte after it.
func (c *converter) peek() byte {
	c.text = strings.TrimLeft(c.text, " \t\r\n")
	return c.text[0]
}

// parse parses the next value.
func (c *converter) parse(out *ldvalue.Value, depth int) bool {
	switch c.peek() {
	case '{':
		return c.parseObject(out, depth)
	case '[':
		return c.parseArray(out, depth)
	case '"':
		*out = ldvalue.String(c.parseString())
		return true
	}
	end := strings.IndexAny(c.text, ",]} \t\r\n")
	if end < 0 {
		end = len(c.text)
	}
	word := c.text[:end]
	c.text = c.text[end:]
	switch word {
	case "null":
		return null(out)
	case "true", "false":
		*out = ldvalue.Bool(word == "true")
		return true
	default:
		return c.literal(out, word)
	}
}

// parseString parses a string.
func (c *converter) parseString() string {
	quoted := c.takeString()
	s := quoted[1 : len(quoted)-1]
	if strings.IndexByte(s, '\\') >= 0 {
		s = unescape(s)
	}
	return String(s)
}

// unescape replaces the escapes of a valid JSON string. An escaped half of a surrogate pair becomes
// U+FFFD.
func unescape(s string) string {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		i++
		switch s[i] {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r := hexRune(s[i+1 : i+5])
			i += 4
			if utf16.IsSurrogate(r) && strings.HasPrefix(s[i+1:], `\u`) {
				if pair := utf16.DecodeRune(r, hexRune(s[i+3:i+7])); pair != utf8.RuneError {
					r = pair
					i += 6
				}
			}
			out = utf8.AppendRune(out, r)
		default: // a quotation mark, a slash or a backslash
			out = append(out, s[i])
		}
	}
	return string(out)
}

// hexRune parses the four digits of an escape.
func hexRune(digits string) rune {
	r, _ := strconv.ParseUint(digits, 16, 16) // are valid
	return rune(r)
}

// takeString returns the string that the text begins with, and passes over it.
func (c *converter) takeString() string {
	end := 1
	for ; c.text[end] != '"'; end++ {
		if c.text[end] == '\\' {
			end++
		}
	}
	quoted := c.text[:end+1]
	c.text = c.text[end+1:]
	return quoted
}

// parseArray parses an array.
func (c *converter) parseArray(out *ldvalue.Value, depth int) bool {
	if !c.begin(0, depth) {
		c.skip()
		return false
	}
	var array ldvalue.ValueArrayBuilder
	var value ldvalue.Value
	c.text = c.text[1:]
	for i := 0; c.peek() != ']'; i++ {
		before := len(c.problems)
		ok := c.parsePart(&value, depth+1)
		if c.tooLarge {
			return false
		}
		c.add(&array, i, &value, ok, before)
	}
	c.text = c.text[1:]
	*out = array.Build().AsValue()
	return true
}

// parseObject parses an object. Of members of the same name, the last one wins.
func (c *converter) parseObject(out *ldvalue.Value, depth int) bool {
	object, ok := c.object(0, depth)
	if !ok {
		c.skip()
		return false
	}
	var value ldvalue.Value
	c.text = c.text[1:]
	for c.peek() != '}' {
		name := c.parseString()
		c.peek()
		c.text = c.text[1:] // the colon
		before := len(c.problems)
		ok := c.spend(1, len(name)) && c.parsePart(&value, depth+1)
		if c.tooLarge {
			return false
		}
		c.set(&object, name, &value, ok, before)
	}
	c.text = c.text[1:]
	*out = object.Build().AsValue()
	return true
}

// parsePart parses an element or a member, and the comma after it.
func (c *converter) parsePart(out *ldvalue.Value, depth int) bool {
	if !c.spend(rawValues, 0) {
		return false
	}
	ok := c.parse(out, depth)
	if !c.tooLarge && c.peek() == ',' {
		c.text = c.text[1:]
	}
	return ok
}

// skip passes over an array or object.
func (c *converter) skip() {
	for depth := 0; ; {
		switch c.text[0] {
		case '"':
			c.takeString()
			continue
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		}
		c.text = c.text[1:]
		if depth == 0 {
			return
		}
	}
}
