// Package redisstore keeps LaunchDarkly's flags in a Redis, for our example of a Relay Proxy and our specs.
//
// Services use LaunchDarkly's own store, of github.com/launchdarkly/go-server-sdk-redis-redigo/v3, in place of [New]:
//
//	ldredis.DataStore().URL(url).Prefix(prefix)
//
// This one exists so that the example and the specs depend on the Redis client alone, and on no integration that is
// released apart from LaunchDarkly's SDK. It is a module of its own, so that the root module does not have to require that
// client.
//
// # Keys
//
// Both stores, the SDKs for other languages, and the Relay Proxy can share a Redis. As LaunchDarkly documents
// (https://launchdarkly.com/docs/sdk/features/storing-data/redis), there are, below a prefix:
//
//   - prefix:features and prefix:segments, hashes from the key of a flag or a segment to its JSON;
//   - prefix:$inited, which exists once somebody has written a full set of data.
package redisstore

import (
	"context"
	"errors"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoretypes"
)

// DefaultPrefix is where LaunchDarkly's SDKs and the Relay Proxy look unless they are told otherwise.
const DefaultPrefix = "launchdarkly"

// timeout bounds a connection attempt, and each read and write.
const timeout = 5 * time.Second

// upsertAttempts bounds how often Upsert starts again because somebody else has changed something.
const upsertAttempts = 10

// New configures a store in the Redis at url, such as redis://127.0.0.1:6379, below prefix, or [DefaultPrefix] if that is
// empty. Each client that is built with it has connections of its own, which it makes as it needs them: a url that is
// wrong, or a Redis that is away, shows as an error of each operation, and as a store that is not available.
func New(url, prefix string) subsystems.ComponentConfigurer[subsystems.PersistentDataStore] {
	if prefix == "" {
		prefix = DefaultPrefix
	}
	return configuration{url: url, prefix: prefix}
}

type configuration struct{ url, prefix string }

// Build is called by LaunchDarkly's SDK, for each client.
func (c configuration) Build(subsystems.ClientContext) (subsystems.PersistentDataStore, error) {
	return &store{
		prefix: c.prefix,
		pool: &redis.Pool{
			MaxIdle:     4,
			IdleTimeout: time.Minute,
			DialContext: func(ctx context.Context) (redis.Conn, error) {
				return redis.DialURLContext(ctx, c.url,
					redis.DialConnectTimeout(timeout), redis.DialReadTimeout(timeout), redis.DialWriteTimeout(timeout))
			},
		},
	}, nil
}

// store is safe for concurrent use: each operation takes a connection from the pool.
type store struct {
	prefix string
	pool   *redis.Pool
}

var _ subsystems.PersistentDataStore = (*store)(nil)

func (s *store) hash(kind ldstoretypes.DataKind) string { return s.prefix + ":" + kind.GetName() }

func (s *store) inited() string { return s.prefix + ":$inited" }

func (s *store) do(command string, arguments ...any) (any, error) {
	c := s.pool.Get()
	defer c.Close()
	return c.Do(command, arguments...)
}

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
	if err = errors.Join(err, c.Send("SET", s.inited(), "")); err != nil {
		return err
	}
	_, err = c.Do("EXEC")
	return err
}

// Get finds one item. Its version is in its JSON.
func (s *store) Get(kind ldstoretypes.DataKind, key string) (ldstoretypes.SerializedItemDescriptor, error) {
	return found(s.do("HGET", s.hash(kind), key))
}

func found(reply any, err error) (ldstoretypes.SerializedItemDescriptor, error) {
	item, err := redis.Bytes(reply, err)
	if errors.Is(err, redis.ErrNil) {
		return ldstoretypes.SerializedItemDescriptor{}.NotFound(), nil
	}
	return ldstoretypes.SerializedItemDescriptor{SerializedItem: item}, err
}

// GetAll finds all items of a kind.
func (s *store) GetAll(kind ldstoretypes.DataKind) ([]ldstoretypes.KeyedSerializedItemDescriptor, error) {
	items, err := redis.StringMap(s.do("HGETALL", s.hash(kind)))
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

// Upsert writes an item unless there is one that is at least as new.
func (s *store) Upsert(
	kind ldstoretypes.DataKind, key string, item ldstoretypes.SerializedItemDescriptor,
) (bool, error) {
	c := s.pool.Get()
	defer c.Close() // which also ends WATCH
	for range upsertAttempts {
		if _, err := c.Do("WATCH", s.hash(kind)); err != nil {
			return false, err
		}
		present, err := found(c.Do("HGET", s.hash(kind), key))
		if err != nil {
			return false, err
		}
		if present.SerializedItem != nil {
			known, err := kind.Deserialize(present.SerializedItem)
			if err == nil && known.Version >= item.Version { // what can't be read is replaced
				return false, nil
			}
		}
		if err := errors.Join(c.Send("MULTI"), c.Send("HSET", s.hash(kind), key, item.SerializedItem)); err != nil {
			return false, err
		}
		done, err := c.Do("EXEC")
		if err != nil {
			return false, err
		}
		if done != nil { // nothing has changed between WATCH and EXEC
			return true, nil
		}
	}
	return false, errors.New("redis: others keep changing the same data")
}

// IsInitialized tells whether anybody has written a full set of data.
func (s *store) IsInitialized() bool {
	there, err := redis.Bool(s.do("EXISTS", s.inited()))
	return err == nil && there
}

// IsStoreAvailable tells whether Redis answers.
func (s *store) IsStoreAvailable() bool {
	_, err := s.do("PING")
	return err == nil
}

// Close ends the connections.
func (s *store) Close() error { return s.pool.Close() }
