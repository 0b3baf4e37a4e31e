package main

import (
	"bytes"
	"testing"
)

func TestExported(t *testing.T) {
	const want = `log    feature_flag.evaluation key=new-checkout result.variant=0 result.reason=default context.id=user-42
log    feature_flag.evaluation key=headline result.variant=0 result.reason=default context.id=user-42
log    feature_flag.evaluation key=upload-limit result.value=10 result.reason=error error.type=flag_not_found context.id=user-42
span   GET /checkout
  event feature_flag.evaluation key=new-checkout result.variant=0 result.reason=default context.id=user-42
  event feature_flag.evaluation key=headline result.variant=0 result.reason=default context.id=user-42
  event feature_flag.evaluation key=upload-limit result.value=10 result.reason=error error.type=flag_not_found context.id=user-42
metric feature_flag.evaluation 1 key=headline result.variant=0 result.reason=default
metric feature_flag.evaluation 1 key=new-checkout result.variant=0 result.reason=default
metric feature_flag.evaluation 1 key=upload-limit result.reason=error error.type=flag_not_found
`
	var out bytes.Buffer
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	if out.String() != want {
		t.Errorf("printed\n%swant\n%s", &out, want)
	}
}
