package hooks

import (
	"strings"

	"github.com/open-feature/go-sdk/openfeature"
)

// reasonName is the convention's name of a reason, without allocating for those
// that OpenFeature and LaunchDarkly define. A reason that nobody gave is
// unknown, as Appendix D has it.
func reasonName(reason openfeature.Reason) string {
	switch reason {
	case "":
		return "unknown"
	case openfeature.TargetingMatchReason:
		return "targeting_match"
	case openfeature.StaticReason:
		return "static"
	case openfeature.DefaultReason:
		return "default"
	case openfeature.DisabledReason:
		return "disabled"
	case openfeature.SplitReason:
		return "split"
	case openfeature.CachedReason:
		return "cached"
	case openfeature.UnknownReason:
		return "unknown"
	case openfeature.ErrorReason:
		return "error"
	default:
		return lowerSnake(string(reason))
	}
}

// errorTypeName is the convention's name of an error code; general stands for
// an error that has none.
func errorTypeName(code openfeature.ErrorCode) string {
	switch code {
	case "", openfeature.GeneralCode:
		return "general"
	case openfeature.ProviderNotReadyCode:
		return "provider_not_ready"
	case openfeature.ProviderFatalCode:
		return "provider_fatal"
	case openfeature.FlagNotFoundCode:
		return "flag_not_found"
	case openfeature.ParseErrorCode:
		return "parse_error"
	case openfeature.TypeMismatchCode:
		return "type_mismatch"
	case openfeature.TargetingKeyMissingCode:
		return "targeting_key_missing"
	case openfeature.InvalidContextCode:
		return "invalid_context"
	default:
		return lowerSnake(string(code))
	}
}

// lowerSnake turns an OpenFeature or LaunchDarkly enumeration, upper snake
// case, into the lower snake case of the conventions. Spaces, dashes and dots,
// which other providers put into reasons of their own, become underscores.
func lowerSnake(s string) string {
	switch s {
	case "FALLTHROUGH":
		return "fallthrough"
	case "RULE_MATCH":
		return "rule_match"
	case "TARGET_MATCH":
		return "target_match"
	case "PREREQUISITE_FAILED":
		return "prerequisite_failed"
	case "OFF":
		return "off"
	case "":
		return ""
	}
	return strings.Map(func(r rune) rune {
		switch r {
		case ' ', '-', '.', '/':
			return '_'
		default:
			return r
		}
	}, strings.ToLower(s))
}
