package redis

import (
	"errors"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoretypes"
)

// prefix is where flags are kept: in a hash for each kind of data, with LaunchDarkly's JSON by key.
const prefix = "launchdarkly"

// initedKey is there once there was a full set of data.
const initedKey = prefix + ":$inited"

// stored makes a client keep its flags in the Redis, under the SDK's cache.
func stored(s *server) *ldcomponents.PersistentDataStoreBuilder {
	return ldcomponents.PersistentDataStore(storeConfiguration{s.address()})
}

type storeConfiguration struct{ address string }

// Build implements [subsystems.ComponentConfigurer].
func (c storeConfiguration) Build(subsystems.ClientContext) (subsystems.PersistentDataStore, error) {
	return &store{pool: &redis.Pool{
		MaxIdle: 4,
		Dial: func() (redis.Conn, error) {
			return redis.Dial("tcp", c.address,
				redis.DialConnectTimeout(time.Second), redis.DialReadTimeout(patience), redis.DialWriteTimeout(patience))
		},
	}}, nil
}

// store implements [subsystems.PersistentDataStore].
type store struct{ pool *redis.Pool }

func (s *store) do(command string, args ...any) (any, error) {
	connection := s.pool.Get()
	defer connection.Close()
	return connection.Do(command, args...)
}

func hash(kind ldstoretypes.DataKind) string { return prefix + ":" + kind.GetName() }

func (s *store) Init(data []ldstoretypes.SerializedCollection) error {
	connection := s.pool.Get()
	defer connection.Close()
	send := func(err error, command string, args ...any) error {
		if err != nil {
			return err
		}
		return connection.Send(command, args...)
	}
	err := send(nil, "MULTI")
	for _, collection := range data {
		err = send(err, "DEL", hash(collection.Kind))
		for _, item := range collection.Items {
			err = send(err, "HSET", hash(collection.Kind), item.Key, item.Item.SerializedItem)
		}
	}
	if err = send(err, "SET", initedKey, ""); err != nil {
		return err
	}
	_, err = connection.Do("EXEC")
	return err
}

func (s *store) Get(kind ldstoretypes.DataKind, key string) (ldstoretypes.SerializedItemDescriptor, error) {
	data, err := redis.Bytes(s.do("HGET", hash(kind), key))
	if errors.Is(err, redis.ErrNil) {
		return ldstoretypes.SerializedItemDescriptor{}.NotFound(), nil
	}
	return ldstoretypes.SerializedItemDescriptor{SerializedItem: data}, err
}

func (s *store) GetAll(kind ldstoretypes.DataKind) ([]ldstoretypes.KeyedSerializedItemDescriptor, error) {
	items, err := redis.StringMap(s.do("HGETALL", hash(kind)))
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

// upsert replaces an item by one with a higher version.
const upsert = `
local old = redis.call('HGET', KEYS[1], ARGV[1])
if old and cjson.decode(old).version >= tonumber(ARGV[2]) then
	return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1`

func (s *store) Upsert(
	kind ldstoretypes.DataKind, key string, item ldstoretypes.SerializedItemDescriptor,
) (bool, error) {
	return redis.Bool(s.do("EVAL", upsert, 1, hash(kind), key, item.Version, item.SerializedItem))
}

func (s *store) IsInitialized() bool {
	found, err := redis.Bool(s.do("EXISTS", initedKey))
	return err == nil && found
}

func (s *store) IsStoreAvailable() bool {
	_, err := s.do("EXISTS", initedKey)
	return err == nil
}

func (s *store) Close() error { return s.pool.Close() }
