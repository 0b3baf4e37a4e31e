package main

import (
	"context"
	"errors"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoretypes"
)

// defaultPrefix is where LaunchDarkly's SDKs and the Relay Proxy look unless they are told otherwise.
const defaultPrefix = "launchdarkly"

// redisStore configures a persistent store in Redis, below a prefix; no prefix means the default.
//
// It is here so that the whole way of a flag can be read, and speaks to Redis as LaunchDarkly documents it for all SDKs and
// the Relay Proxy (https://launchdarkly.com/docs/sdk/features/storing-data/redis). A service uses LaunchDarkly's own store
// in its place, from github.com/launchdarkly/go-server-sdk-redis-redigo/v3:
//
//	ldredis.DataStore().URL(url).Prefix(prefix)
func redisStore(url, prefix string) subsystems.ComponentConfigurer[subsystems.PersistentDataStore] {
	if prefix == "" {
		prefix = defaultPrefix
	}
	return storeConfiguration{url: url, prefix: prefix}
}

type storeConfiguration struct{ url, prefix string }

// Build is called by LaunchDarkly's SDK, for each client.
func (c storeConfiguration) Build(subsystems.ClientContext) (subsystems.PersistentDataStore, error) {
	return &store{
		prefix: c.prefix,
		pool: &redis.Pool{
			MaxIdle:     4,
			IdleTimeout: time.Minute,
			DialContext: func(ctx context.Context) (redis.Conn, error) {
				return redis.DialURLContext(ctx, c.url,
					redis.DialConnectTimeout(5*time.Second),
					redis.DialReadTimeout(5*time.Second),
					redis.DialWriteTimeout(5*time.Second))
			},
		},
	}, nil
}

// store keeps flags and segments in a hash each, as JSON by key, and a mark that they have been there.
type store struct {
	prefix string
	pool   *redis.Pool
}

var _ subsystems.PersistentDataStore = (*store)(nil)

func (s *store) hash(kind ldstoretypes.DataKind) string { return s.prefix + ":" + kind.GetName() }

func (s *store) mark() string { return s.prefix + ":$inited" }

// Init replaces everything, in one transaction.
func (s *store) Init(all []ldstoretypes.SerializedCollection) error {
	c := s.pool.Get()
	defer c.Close()
	err := c.Send("MULTI")
	for _, collection := range all {
		err = errors.Join(err, c.Send("DEL", s.hash(collection.Kind)))
		for _, item := range collection.Items {
			err = errors.Join(err, c.Send("HSET", s.hash(collection.Kind), item.Key, item.Item.SerializedItem))
		}
	}
	err = errors.Join(err, c.Send("SET", s.mark(), ""))
	_, execErr := c.Do("EXEC")
	return errors.Join(err, execErr)
}

// Get finds one item. Its version is in its JSON.
func (s *store) Get(kind ldstoretypes.DataKind, key string) (ldstoretypes.SerializedItemDescriptor, error) {
	c := s.pool.Get()
	defer c.Close()
	return s.get(c, kind, key)
}

func (s *store) get(c redis.Conn, kind ldstoretypes.DataKind, key string) (
	ldstoretypes.SerializedItemDescriptor, error,
) {
	item, err := redis.Bytes(c.Do("HGET", s.hash(kind), key))
	if errors.Is(err, redis.ErrNil) {
		return ldstoretypes.SerializedItemDescriptor{}.NotFound(), nil
	}
	return ldstoretypes.SerializedItemDescriptor{SerializedItem: item}, err
}

// GetAll finds all items of a kind.
func (s *store) GetAll(kind ldstoretypes.DataKind) ([]ldstoretypes.KeyedSerializedItemDescriptor, error) {
	c := s.pool.Get()
	defer c.Close()
	items, err := redis.StringMap(c.Do("HGETALL", s.hash(kind)))
	if err != nil {
		return nil, err
	}
	all := make([]ldstoretypes.KeyedSerializedItemDescriptor, 0, len(items))
	for key, item := range items {
		all = append(all, ldstoretypes.KeyedSerializedItemDescriptor{
			Key: key, Item: ldstoretypes.SerializedItemDescriptor{SerializedItem: []byte(item)},
		})
	}
	return all, nil
}

// upsertAttempts bounds how often Upsert starts again because somebody else has changed something.
const upsertAttempts = 10

// Upsert writes an item unless there is one that is at least as new.
func (s *store) Upsert(
	kind ldstoretypes.DataKind, key string, item ldstoretypes.SerializedItemDescriptor,
) (bool, error) {
	c := s.pool.Get()
	defer c.Close()
	for range upsertAttempts {
		if _, err := c.Do("WATCH", s.hash(kind)); err != nil {
			return false, err
		}
		present, err := s.get(c, kind, key)
		if err != nil {
			return false, err
		}
		if present.SerializedItem != nil {
			known, err := kind.Deserialize(present.SerializedItem)
			if err == nil && known.Version >= item.Version {
				_, err := c.Do("UNWATCH")
				return false, err
			}
		}
		err = errors.Join(c.Send("MULTI"), c.Send("HSET", s.hash(kind), key, item.SerializedItem))
		done, execErr := c.Do("EXEC")
		if err := errors.Join(err, execErr); err != nil {
			return false, err
		}
		if done != nil { // nothing has changed between WATCH and EXEC
			return true, nil
		}
	}
	return false, errors.New("redis: others keep changing the same flags")
}

// IsInitialized tells whether anybody has written flags.
func (s *store) IsInitialized() bool {
	c := s.pool.Get()
	defer c.Close()
	there, err := redis.Bool(c.Do("EXISTS", s.mark()))
	return err == nil && there
}

// IsStoreAvailable tells whether Redis answers.
func (s *store) IsStoreAvailable() bool {
	c := s.pool.Get()
	defer c.Close()
	_, err := c.Do("PING")
	return err == nil
}

// Close ends the connections.
func (s *store) Close() error { return s.pool.Close() }
