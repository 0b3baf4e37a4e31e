package delivery

import (
	"context"
	"errors"
	"testing"
)

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
		is   error
	}{
		{&DropError{Cause: ErrQueueFull, Events: 3}, "3 tracked events dropped: the queue of tracked events is full", ErrQueueFull},
		{
			&DropError{Cause: ErrClosed, Events: 1, EventName: "buy\n"},
			`tracked event "buy\n" dropped: event delivery is shut down`, ErrClosed,
		},
		{
			&DropError{Cause: withStatus(ErrRefused, 404), Events: 2},
			"2 tracked events dropped: not acceptable to the events service: status 404", ErrRefused,
		},
		{&DropError{Cause: withStatus(ErrRefused, 0), Events: 2}, "2 tracked events dropped: not acceptable to the events service", ErrRefused},
		{&UndeliveredError{Events: 4}, "4 tracked events are not delivered", nil},
		{
			&UndeliveredError{Events: 4, Evaluations: true, Cause: context.DeadlineExceeded},
			"4 tracked events and evaluation events are not delivered: context deadline exceeded", context.DeadlineExceeded,
		},
		{
			&UndeliveredError{Evaluations: true, Cause: errEvaluationsLost},
			"evaluation events are not delivered: the events service did not accept the evaluation events",
			errEvaluationsLost,
		},
	} {
		if c.err.Error() != c.want || c.is != nil && !errors.Is(c.err, c.is) {
			t.Errorf("got  %s\nwant %s", c.err, c.want)
		}
	}
}
