package hooks

import (
	"errors"
	"fmt"

	"github.com/open-feature/go-sdk/openfeature"
)

// outcome is what the caller of an evaluation got. The details of the finally stage do not say so
// if another hook failed: they then hold what the provider resolved, or nothing, and no error.
type outcome struct {
	value     any
	variant   string
	reason    openfeature.Reason
	errorCode openfeature.ErrorCode
	message   string
	replaced  bool // the caller got the default value because another hook failed
}

// describe returns the code and the message of an error. If a method of the error panics, the
// message is the error's type.
func describe(err error) (code openfeature.ErrorCode, message string) {
	defer func() {
		if recover() != nil {
			code, message = openfeature.GeneralCode, fmt.Sprintf("%T", err)
		}
	}()
	return errorCodeOf(err), err.Error()
}

// errorCodeOf returns the code of a resolution error in the chain of err, and GENERAL if there is
// none. The type does not export its code; a resolution detail does.
func errorCodeOf(err error) openfeature.ErrorCode {
	if resolution, ok := errors.AsType[openfeature.ResolutionError](err); ok {
		detail := openfeature.ProviderResolutionDetail{ResolutionError: resolution}.ResolutionDetail()
		if detail.ErrorCode != "" {
			return detail.ErrorCode
		}
	}
	return openfeature.GeneralCode
}

// read combines the details of the finally stage with the error of the error stage, nil if there
// was none. An error code in the details takes precedence.
func (o *outcome) read(
	hookContext *openfeature.HookContext, details *openfeature.InterfaceEvaluationDetails, err error,
) {
	if err != nil && details.ErrorCode == "" {
		o.value = hookContext.DefaultValue()
		o.reason = openfeature.ErrorReason
		o.errorCode, o.message = describe(err)
		o.replaced = true
		return
	}
	o.value = details.Value
	o.variant = details.Variant
	o.reason = details.Reason
	o.errorCode = details.ErrorCode
	o.message = details.ErrorMessage
	switch {
	case o.errorCode != "":
		o.reason = openfeature.ErrorReason
	case o.reason == openfeature.ErrorReason:
		o.errorCode = openfeature.GeneralCode
	}
}
