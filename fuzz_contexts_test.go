package launchdarkly

import (
	"fmt"
	"maps"
	"sync"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/open-feature/go-sdk/openfeature"

	"github.com/openfeature-launchdarkly/go-provider/internal/fuzzvalue"
)

// FuzzRecentContexts converts evaluation contexts that differ in little, each of them in several
// goroutines at once, and changes them in between. Whatever the cache remembers, the result must be
// that of a fresh mapper, and must not change when the application changes what it passed in.
func FuzzRecentContexts(f *testing.F) {
	for i := range 64 {
		f.Add([]byte{byte(i), 2, byte(i), 1, 'a', 40, byte(3 * i), 1, 'x', byte(5 * i), 1, byte(i % 7), 2, byte(i), 3, 9, byte(i), 1, 4})
	}
	caches := make(map[string]*recentContexts)
	for _, kindAttribute := range []string{"kind", "email", openfeature.TargetingKey} {
		caches[kindAttribute] = &recentContexts{mapper: contextMapper{kindAttribute: kindAttribute}}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		g := fuzzvalue.New(data)
		cache := caches[[]string{"kind", "kind", "email", openfeature.TargetingKey}[g.Choose(4)]]
		key, attributes := "", map[string]any{}
		list := []string{"email", "a"}
		for range 6 {
			switch g.Choose(8) {
			case 0:
				key = []string{"", "sandy", "alex"}[g.Choose(3)]
			case 1:
				clear(attributes)
				maps.Copy(attributes, g.Attributes())
			case 2:
				maps.Copy(attributes, g.Attributes())
			case 3:
				attributes[g.Text()] = []any{1, int64(1), 1.0, "1", true, nil}[g.Choose(6)]
			case 4:
				attributes[[]string{"privateAttributes", "tags", "email"}[g.Choose(3)]] = list
			case 5:
				list[g.Choose(2)] = g.Text()
			case 6:
				for name := range attributes {
					delete(attributes, name)
					break
				}
			default: // the same once more
			}
			if g.Ambiguous() {
				t.Skip("which of two attributes remains is random")
			}
			checkContexts(t, cache, key, attributes, g.Choose(3) == 0)
		}
	})
}

// checkContexts converts an evaluation context with a fresh mapper, and with the cache in several
// goroutines at once. The attributes may be changed afterwards.
func checkContexts(t *testing.T, cache *recentContexts, key string, attributes map[string]any, changing bool) {
	t.Helper()
	want, wantWarnings, wantErr := mappedBy(cache.mapper, key, attributes)
	var results [3]ldcontext.Context
	var group sync.WaitGroup
	for i := range results {
		group.Go(func() {
			for range 2 {
				results[i] = ldcontext.Context{}
				warnings, err := cache.toLaunchDarkly(&results[i], key, false, attributes)
				if len(warnings) != len(wantWarnings) || fmt.Sprint(err) != fmt.Sprint(wantErr) {
					t.Errorf("%q, %v: got %v, %v, want %v, %v", key, attributes, warnings, err, wantWarnings, wantErr)
				}
			}
		})
	}
	group.Wait()
	if wantErr != nil {
		return
	}
	text := want.JSONString()
	if changing {
		for _, v := range attributes {
			change(v)
		}
	}
	if after := want.JSONString(); !sameJSON(t, text, after) {
		t.Errorf("%s became %s when the application changed its values", text, after)
	}
	for _, got := range results {
		if !got.Equal(want) || negative(got) != negative(want) {
			t.Errorf("%q, %v: got %v, want %v", key, attributes, got, want)
		}
	}
}

// change changes what an application could still hold of a value.
func change(v any) {
	switch v := v.(type) {
	case []string:
		for i := range v {
			v[i] += "!"
		}
	case []any:
		for i := range v {
			v[i] = "changed"
		}
	case []byte:
		clear(v)
	case map[string]any:
		v["key"] = "changed"
	case *any:
		*v = "changed"
	}
}
