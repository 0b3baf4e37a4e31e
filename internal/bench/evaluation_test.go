package bench

import (
	"fmt"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
)

// BenchmarkEvaluation evaluates a boolean flag for contexts of several sizes.
func BenchmarkEvaluation(b *testing.B) {
	s := newSubjects(b)
	for _, c := range contextCases() {
		prebuilt := c.build()
		ctx := b.Context()
		for _, subject := range []struct {
			name     string
			evaluate func()
		}{
			{"bare-prebuilt", func() { _, _, _ = s.bare.BoolVariationDetailCtx(ctx, "bool", prebuilt, false) }},
			{"bare", func() { _, _, _ = s.bare.BoolVariationDetailCtx(ctx, "bool", c.build(), false) }},
			{"ours", func() { s.ours.BooleanEvaluation(ctx, "bool", false, c.flat) }},
			{"community", func() { s.theirs.BooleanEvaluation(ctx, "bool", false, c.flat) }},
			{"noop-client", func() { _, _ = s.noProviderAtAll.BooleanValue(ctx, "bool", false, c.evaluation) }},
			{"ours-client", func() { _, _ = s.oursClient.BooleanValue(ctx, "bool", false, c.evaluation) }},
			{"community-client", func() { _, _ = s.theirsClient.BooleanValue(ctx, "bool", false, c.evaluation) }},
		} {
			b.Run(c.name+"/by="+subject.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					subject.evaluate()
				}
			})
		}
	}
}

// BenchmarkEvaluationOfOthers evaluates a boolean flag for a different user each time.
// [BenchmarkEvaluation] evaluates it for the same user.
func BenchmarkEvaluationOfOthers(b *testing.B) {
	s := newSubjects(b)
	for _, attributes := range []int{0, 1, 10, 30} {
		users := make([]contextCase, crowd)
		for i := range users {
			users[i] = userWithAttributes(fmt.Sprintf("user-%02d", i), attributes)
		}
		ctx := b.Context()
		for _, subject := range []struct {
			name     string
			evaluate func(c *contextCase)
		}{
			{"bare", func(c *contextCase) { _, _, _ = s.bare.BoolVariationDetailCtx(ctx, "bool", c.build(), false) }},
			{"ours", func(c *contextCase) { s.ours.BooleanEvaluation(ctx, "bool", false, c.flat) }},
			{"community", func(c *contextCase) { s.theirs.BooleanEvaluation(ctx, "bool", false, c.flat) }},
			{"ours-client", func(c *contextCase) { _, _ = s.oursClient.BooleanValue(ctx, "bool", false, c.evaluation) }},
			{"community-client", func(c *contextCase) { _, _ = s.theirsClient.BooleanValue(ctx, "bool", false, c.evaluation) }},
		} {
			b.Run(users[0].name+"/by="+subject.name, func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					subject.evaluate(&users[i%crowd])
				}
			})
		}
	}
}

// BenchmarkTypes evaluates a flag of each type for a context of one attribute.
func BenchmarkTypes(b *testing.B) {
	s := newSubjects(b)
	c := withAttributes(1)
	ctx := b.Context()
	null := ldvalue.Null()
	for _, test := range []struct {
		name               string
		bare, ours, theirs func()
	}{
		{"bool",
			func() { _, _, _ = s.bare.BoolVariationDetailCtx(ctx, "bool", c.build(), false) },
			func() { s.ours.BooleanEvaluation(ctx, "bool", false, c.flat) },
			func() { s.theirs.BooleanEvaluation(ctx, "bool", false, c.flat) }},
		{"string",
			func() { _, _, _ = s.bare.StringVariationDetailCtx(ctx, "string", c.build(), "") },
			func() { s.ours.StringEvaluation(ctx, "string", "", c.flat) },
			func() { s.theirs.StringEvaluation(ctx, "string", "", c.flat) }},
		{"int",
			func() { _, _, _ = s.bare.IntVariationDetailCtx(ctx, "int", c.build(), 0) },
			func() { s.ours.IntEvaluation(ctx, "int", 0, c.flat) },
			func() { s.theirs.IntEvaluation(ctx, "int", 0, c.flat) }},
		{"float",
			func() { _, _, _ = s.bare.Float64VariationDetailCtx(ctx, "float", c.build(), 0) },
			func() { s.ours.FloatEvaluation(ctx, "float", 0, c.flat) },
			func() { s.theirs.FloatEvaluation(ctx, "float", 0, c.flat) }},
		{"object", // converted to a Go value, as an application needs it
			func() {
				value, _, _ := s.bare.JSONVariationDetailCtx(ctx, "object", c.build(), null)
				_ = value.AsArbitraryValue()
			},
			func() { s.ours.ObjectEvaluation(ctx, "object", nil, c.flat) },
			func() { s.theirs.ObjectEvaluation(ctx, "object", nil, c.flat) }},
	} {
		for _, subject := range []struct {
			name     string
			evaluate func()
		}{{"bare", test.bare}, {"ours", test.ours}, {"community", test.theirs}} {
			b.Run("type="+test.name+"/by="+subject.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					subject.evaluate()
				}
			})
		}
	}
}

// BenchmarkParallel evaluates on all processors at once, for one user. Compare it with -cpu 1. The
// SDK with a prebuilt context is the optimum.
func BenchmarkParallel(b *testing.B) {
	s := newSubjects(b)
	c := withAttributes(10)
	prebuilt := c.build()
	ctx := b.Context()
	for _, subject := range []struct {
		name     string
		evaluate func()
	}{
		{"bare-prebuilt", func() { _, _, _ = s.bare.BoolVariationDetailCtx(ctx, "bool", prebuilt, false) }},
		{"bare", func() { _, _, _ = s.bare.BoolVariationDetailCtx(ctx, "bool", c.build(), false) }},
		{"ours", func() { s.ours.BooleanEvaluation(ctx, "bool", false, c.flat) }},
		{"community", func() { s.theirs.BooleanEvaluation(ctx, "bool", false, c.flat) }},
	} {
		b.Run("by="+subject.name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					subject.evaluate()
				}
			})
		})
	}
}
