package redisstore_test

import (
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoreimpl"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoretypes"
	"github.com/launchdarkly/go-server-sdk/v7/testhelpers/storetest"

	"github.com/openfeature-launchdarkly/go-provider/internal/redisstore"
	"github.com/openfeature-launchdarkly/go-provider/internal/redisstore/redistest"
)

// TestStore holds the store against LaunchDarkly's own tests of persistent stores.
func TestStore(t *testing.T) {
	url := startRedis(t).URL()
	storetest.NewPersistentDataStoreTestSuite(
		func(prefix string) subsystems.ComponentConfigurer[subsystems.PersistentDataStore] {
			return interruptible{redisstore.New(url, prefix)}
		},
		func(prefix string) error { return clearData(url, prefix) },
	).ErrorStoreFactory(
		redisstore.New("redis://127.0.0.1:1", ""), nil,
	).ConcurrentModificationHook(func(store subsystems.PersistentDataStore, hook func()) {
		store.(*interruptibleStore).hook = hook
	}).Run(t)
}

// TestKeys looks where LaunchDarkly's documentation says that data is.
func TestKeys(t *testing.T) {
	url := startRedis(t).URL()
	for prefix, keys := range map[string]struct{ features, segments, inited string }{
		"":      {"launchdarkly:features", "launchdarkly:segments", "launchdarkly:$inited"},
		"other": {"other:features", "other:segments", "other:$inited"},
	} {
		store, err := redisstore.New(url, prefix).Build(subsystems.BasicClientContext{})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		if err := store.Init([]ldstoretypes.SerializedCollection{
			{Kind: ldstoreimpl.Features(), Items: item("flag", `{"key":"flag"}`)},
			{Kind: ldstoreimpl.Segments(), Items: item("segment", `{"key":"segment"}`)},
		}); err != nil {
			t.Fatal(err)
		}
		c := dial(t, url)
		if got, err := redis.String(c.Do("HGET", keys.features, "flag")); got != `{"key":"flag"}` {
			t.Errorf("%s has %q, %v", keys.features, got, err)
		}
		if got, err := redis.String(c.Do("HGET", keys.segments, "segment")); got != `{"key":"segment"}` {
			t.Errorf("%s has %q, %v", keys.segments, got, err)
		}
		if there, err := redis.Bool(c.Do("EXISTS", keys.inited)); !there {
			t.Errorf("%s does not exist, %v", keys.inited, err)
		}
	}
	if n, err := redis.Int(dial(t, url).Do("DBSIZE")); n != 6 {
		t.Errorf("there are %d keys, %v, want 6", n, err)
	}
}

// TestUnavailable has a Redis go and come back.
func TestUnavailable(t *testing.T) {
	server := startRedis(t)
	store, err := redisstore.New(server.URL(), "").Build(subsystems.BasicClientContext{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := store.Init(nil); err != nil || !store.IsInitialized() || !store.IsStoreAvailable() {
		t.Fatalf("it is not there at first, %v", err)
	}
	server.Stop()
	if store.IsInitialized() || store.IsStoreAvailable() {
		t.Error("it is still there")
	}
	if err := store.Init(nil); err == nil {
		t.Error("no error")
	}
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !store.IsStoreAvailable() {
		t.Error("it has not come back")
	}
	if store.IsInitialized() {
		t.Error("it has kept something")
	}
}

func startRedis(t *testing.T) *redistest.Server {
	t.Helper()
	redistest.Need(t)
	server, err := redistest.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	return server
}

func dial(t *testing.T, url string) redis.Conn {
	t.Helper()
	c, err := redis.DialURL(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func clearData(url, prefix string) error {
	c, err := redis.DialURL(url)
	if err != nil {
		return err
	}
	defer c.Close()
	if prefix == "" {
		prefix = redisstore.DefaultPrefix
	}
	keys, err := redis.Values(c.Do("KEYS", prefix+":*"))
	if err != nil || len(keys) == 0 {
		return err
	}
	_, err = c.Do("DEL", keys...)
	return err
}

func item(key, text string) []ldstoretypes.KeyedSerializedItemDescriptor {
	return []ldstoretypes.KeyedSerializedItemDescriptor{
		{Key: key, Item: ldstoretypes.SerializedItemDescriptor{Version: 1, SerializedItem: []byte(text)}},
	}
}

// interruptible builds stores that a hook can interrupt.
type interruptible struct {
	subsystems.ComponentConfigurer[subsystems.PersistentDataStore]
}

func (i interruptible) Build(c subsystems.ClientContext) (subsystems.PersistentDataStore, error) {
	store, err := i.ComponentConfigurer.Build(c)
	return &interruptibleStore{PersistentDataStore: store}, err
}

// interruptibleStore calls the hook between the time that Upsert reads what is there and the time that it writes: while it
// looks for the version.
type interruptibleStore struct {
	subsystems.PersistentDataStore
	hook func()
}

func (s *interruptibleStore) Upsert(
	kind ldstoretypes.DataKind, key string, item ldstoretypes.SerializedItemDescriptor,
) (bool, error) {
	if s.hook != nil {
		kind = interruptingKind{kind, s.hook}
	}
	return s.PersistentDataStore.Upsert(kind, key, item)
}

type interruptingKind struct {
	ldstoretypes.DataKind
	hook func()
}

func (k interruptingKind) Deserialize(data []byte) (ldstoretypes.ItemDescriptor, error) {
	k.hook()
	return k.DataKind.Deserialize(data)
}
