package jsonvalue

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
)

// json parses text that claims to be JSON. It becomes a structured value rather than LaunchDarkly's raw type, because
// LaunchDarkly can neither evaluate rules on parts of a raw value nor redact its private parts. invalid is the problem to
// report if the text is not JSON.
func (c *converter) json(text []byte, depth int, invalid error) (ldvalue.Value, bool) {
	before := c.spent.bytes
	if !c.fits(0, 0) || !c.spend(0, len(text)) {
		return ldvalue.Null(), false
	}
	if !json.Valid(text) { // refuses what is nested thousands of levels deep, too
		return c.fail(invalid)
	}
	after := c.spent.bytes
	c.spent.bytes = before // names count as they are parsed
	p := parser{c: c, text: string(text)}
	value, ok := p.value(depth)
	c.spent.bytes = after
	return value, ok
}

// rawValues is what a value in raw JSON counts as: parsing it takes as long as converting two.
const rawValues = 2

// parser builds a value from text that is known to be valid JSON. encoding/json could only build a second tree of Go values
// first, however large, and would round integers without a word.
type parser struct {
	c    *converter
	text string // what is left of it
}

// peek skips white space, and returns the first byte after it.
func (p *parser) peek() byte {
	p.text = strings.TrimLeft(p.text, " \t\r\n")
	return p.text[0]
}

// value parses the next value.
func (p *parser) value(depth int) (ldvalue.Value, bool) {
	switch p.peek() {
	case '{':
		return p.object(depth)
	case '[':
		return p.array(depth)
	case '"':
		return ldvalue.String(p.string()), true
	}
	end := strings.IndexAny(p.text, ",]} \t\r\n")
	if end < 0 {
		end = len(p.text)
	}
	word := p.text[:end]
	p.text = p.text[end:]
	switch word {
	case "null":
		return ldvalue.Null(), true
	case "true", "false":
		return ldvalue.Bool(word == "true"), true
	default:
		return p.c.literal(word)
	}
}

// string parses a string.
func (p *parser) string() string {
	quoted := p.quoted()
	s := quoted[1 : len(quoted)-1]
	if strings.IndexByte(s, '\\') >= 0 {
		s = unescape(s)
	}
	return String(s)
}

// unescape replaces the escapes of a valid JSON string. An escaped half of a surrogate pair becomes U+FFFD.
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

// quoted returns the string that the text begins with, and passes over it.
func (p *parser) quoted() string {
	end := 1
	for ; p.text[end] != '"'; end++ {
		if p.text[end] == '\\' {
			end++
		}
	}
	quoted := p.text[:end+1]
	p.text = p.text[end+1:]
	return quoted
}

// array parses an array, as [converter.array] converts one.
func (p *parser) array(depth int) (ldvalue.Value, bool) {
	c := p.c
	if !c.fits(0, depth) {
		p.skip()
		return ldvalue.Null(), false
	}
	elements := ldvalue.ArrayBuild()
	p.text = p.text[1:]
	for i := 0; p.peek() != ']'; i++ {
		before := len(c.problems)
		value, _ := p.part(depth + 1)
		if c.tooLarge {
			return ldvalue.Null(), false
		}
		if len(c.problems) > before {
			c.locate(before, strconv.Itoa(i))
		}
		elements.Add(value)
	}
	p.text = p.text[1:]
	return elements.Build(), true
}

// object parses an object. Of members of the same name, the last one wins.
func (p *parser) object(depth int) (ldvalue.Value, bool) {
	o, ok := p.c.object(0, depth)
	if !ok {
		p.skip()
		return ldvalue.Null(), false
	}
	p.text = p.text[1:]
	for p.peek() != '}' {
		name := p.string()
		p.peek()
		p.text = p.text[1:] // the colon
		o.set(name, func() (ldvalue.Value, bool) { return p.part(depth + 1) })
		if p.c.tooLarge {
			return ldvalue.Null(), false
		}
	}
	p.text = p.text[1:]
	return o.value()
}

// part parses an element or a member, and the comma after it.
func (p *parser) part(depth int) (ldvalue.Value, bool) {
	if !p.c.spend(rawValues, 0) {
		return ldvalue.Null(), false
	}
	value, ok := p.value(depth)
	if !p.c.tooLarge && p.peek() == ',' {
		p.text = p.text[1:]
	}
	return value, ok
}

// skip passes over an array or object.
func (p *parser) skip() {
	for depth := 0; ; {
		switch p.text[0] {
		case '"':
			p.quoted()
			continue
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		}
		p.text = p.text[1:]
		if depth == 0 {
			return
		}
	}
}
