package bench

import (
	"fmt"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/open-feature/go-sdk/openfeature"

	launchdarkly "github.com/openfeature-launchdarkly/go-provider"
)

// BenchmarkEvaluation evaluates a boolean flag for contexts of several sizes and shapes: for one
// user again and again, as in a request, and for another user each time.
func BenchmarkEvaluation(b *testing.B) {
	s := newSubjects(b)
	for _, others := range crowds() {
		benchmarkEvaluation(b, s, "users=one", others[:1])
		benchmarkEvaluation(b, s, "users=others", others)
	}
}

func benchmarkEvaluation(b *testing.B, s subjects, name string, users []contextCase) {
	b.Helper()
	prebuilt := make([]ldcontext.Context, len(users))
	for i := range users {
		prebuilt[i] = users[i].build()
	}
	ctx := b.Context()
	for _, subject := range []struct {
		name     string
		evaluate func(i int)
	}{
		{"bare-prebuilt", func(i int) { _, _, _ = s.bare.BoolVariationDetailCtx(ctx, "bool", prebuilt[i], false) }},
		{"bare", func(i int) { _, _, _ = s.bare.BoolVariationDetailCtx(ctx, "bool", users[i].build(), false) }},
		{"floor", func(i int) {
			_, detail, _ := s.bare.BoolVariationDetailCtx(ctx, "bool", users[i].build(), false)
			_ = flagMetadata(&detail)
		}},
		{"ours", func(i int) { s.ours.BooleanEvaluation(ctx, "bool", false, users[i].flat) }},
		{"community", func(i int) { s.theirs.BooleanEvaluation(ctx, "bool", false, users[i].flat) }},
		{"noop-client", func(i int) { _, _ = s.noProviderAtAll.BooleanValue(ctx, "bool", false, users[i].evaluation) }},
		{"ours-client", func(i int) { _, _ = s.oursClient.BooleanValue(ctx, "bool", false, users[i].evaluation) }},
		{"community-client", func(i int) { _, _ = s.theirsClient.BooleanValue(ctx, "bool", false, users[i].evaluation) }},
	} {
		b.Run(name+"/"+users[0].name+"/by="+subject.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				subject.evaluate(i % len(users))
			}
		})
	}
}

// flagMetadata returns the least flag metadata of a successful evaluation. The floor, what a
// provider takes whose conversion of contexts is free, is the bare SDK and this map.
//
//go:noinline
func flagMetadata(detail *ldreason.EvaluationDetail) openfeature.FlagMetadata {
	index, _ := detail.VariationIndex.Get()
	return openfeature.FlagMetadata{
		launchdarkly.MetadataVariationIndex: index,
		launchdarkly.MetadataReasonKind:     string(ldreason.EvalReasonFallthrough),
	}
}

// BenchmarkTypes evaluates a flag of each type for a context of one attribute.
func BenchmarkTypes(b *testing.B) {
	s := newSubjects(b)
	c := withAttributes("user-key", 1)
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
		{"object", // the application would need the value as Go has it
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

// BenchmarkParallel evaluates on all processors at once. Compare it with -cpu 1: the scaling of the
// SDK with contexts that are built beforehand is as good as it gets.
func BenchmarkParallel(b *testing.B) {
	s := newSubjects(b)
	users := make([]contextCase, crowd)
	prebuilt := make([]ldcontext.Context, crowd)
	for i := range users {
		users[i] = withAttributes(fmt.Sprintf("user-%02d", i), 10)
		prebuilt[i] = users[i].build()
	}
	ctx := b.Context()
	for _, n := range []struct {
		name  string
		users int
	}{{"users=one", 1}, {"users=others", crowd}} {
		for _, subject := range []struct {
			name     string
			evaluate func(i int)
		}{
			{"bare-prebuilt", func(i int) { _, _, _ = s.bare.BoolVariationDetailCtx(ctx, "bool", prebuilt[i], false) }},
			{"bare", func(i int) { _, _, _ = s.bare.BoolVariationDetailCtx(ctx, "bool", users[i].build(), false) }},
			{"ours", func(i int) { s.ours.BooleanEvaluation(ctx, "bool", false, users[i].flat) }},
			{"community", func(i int) { s.theirs.BooleanEvaluation(ctx, "bool", false, users[i].flat) }},
		} {
			b.Run(n.name+"/by="+subject.name, func(b *testing.B) {
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					for i := 0; pb.Next(); i++ {
						subject.evaluate(i % n.users)
					}
				})
			})
		}
	}
}
