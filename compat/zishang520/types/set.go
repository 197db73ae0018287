package types

import (
	"encoding/json"
	"maps"
	"slices"
	"sync"
)

// Void is a type without values worth keeping.
type Void = struct{}

// NULL is the value of Void.
var NULL Void

// Callable is a function without arguments and results.
type Callable = func()

// Set is a set that is safe for concurrent use. Its JSON is a list.
type Set[K comparable] struct {
	mu   sync.RWMutex
	keys map[K]Void
}

// NewSet returns a set of the keys.
func NewSet[K comparable](keys ...K) *Set[K] {
	s := &Set[K]{keys: make(map[K]Void, len(keys))}
	s.Add(keys...)
	return s
}

// Add adds keys. It reports whether there were any to add.
func (s *Set[K]) Add(keys ...K) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys == nil {
		s.keys = make(map[K]Void, len(keys))
	}
	for _, k := range keys {
		s.keys[k] = NULL
	}
	return len(keys) > 0
}

// Delete removes keys. It reports whether there were any to remove.
func (s *Set[K]) Delete(keys ...K) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range keys {
		delete(s.keys, k)
	}
	return len(keys) > 0
}

// Clear removes all keys.
func (s *Set[K]) Clear() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.keys)
	return true
}

// Has reports whether the key is in the set.
func (s *Set[K]) Has(key K) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, ok := s.keys[key]
	return ok
}

// Len returns the number of keys.
func (s *Set[K]) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.keys)
}

// All returns a copy.
func (s *Set[K]) All() map[K]Void {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.keys == nil {
		return map[K]Void{}
	}
	return maps.Clone(s.keys)
}

// Keys returns the keys in no particular order.
func (s *Set[K]) Keys() []K {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.AppendSeq(make([]K, 0, len(s.keys)), maps.Keys(s.keys))
}

// MarshalJSON implements json.Marshaler.
func (s *Set[K]) MarshalJSON() ([]byte, error) { return json.Marshal(s.Keys()) }

// UnmarshalJSON implements json.Unmarshaler.
func (s *Set[K]) UnmarshalJSON(text []byte) error {
	var keys []K
	if err := json.Unmarshal(text, &keys); err != nil {
		return err
	}
	s.Clear()
	s.Add(keys...)
	return nil
}
