package jsonvalue

import "unicode/utf8"

// String returns s with each byte that is not part of valid UTF-8 replaced by U+FFFD, as
// encoding/json does. It does not allocate if there is nothing to replace.
func String(s string) string {
	if isASCII(s) || utf8.ValidString(s) {
		return s
	}
	valid := make([]byte, 0, len(s)+len(s)/4)
	for _, r := range s {
		valid = utf8.AppendRune(valid, r)
	}
	return string(valid)
}

// isASCII reports whether all bytes of s are ASCII. For short strings, it takes a tenth of the time
// of utf8.ValidString.
func isASCII(s string) bool {
	const high = 0x8080808080808080
	switch n := len(s); {
	case n >= 8:
		for i := 0; i < n-8; i += 8 {
			if eight(s[i:i+8])&high != 0 {
				return false
			}
		}
		return eight(s[n-8:])&high == 0
	case n >= 4:
		return (four(s[:4])|four(s[n-4:]))&(high>>32) == 0
	default:
		for i := range n {
			if s[i] >= utf8.RuneSelf {
				return false
			}
		}
		return true
	}
}

// eight returns the first eight bytes of s, which the compiler makes a single load.
func eight(s string) uint64 { return uint64(four(s)) | uint64(four(s[4:]))<<32 }

// four returns the first four bytes of s.
func four(s string) uint32 {
	_ = s[3]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}
