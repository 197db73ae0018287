package types

import "sync"

// Map is a sync.Map with types. The zero value is ready to use; it must not be
// copied.
type Map[K comparable, V any] struct{ m sync.Map }

// value returns what an any holds, which is nil for the zero value of an interface.
func value[V any](v any) V {
	typed, _ := v.(V)
	return typed
}

// Load returns the value of a key, and whether there is one.
func (m *Map[K, V]) Load(key K) (V, bool) {
	v, ok := m.m.Load(key)
	return value[V](v), ok
}

// Store sets the value of a key.
func (m *Map[K, V]) Store(key K, v V) { m.m.Store(key, v) }

// LoadOrStore returns the value of a key, which is v if it had none; loaded reports
// that it had.
func (m *Map[K, V]) LoadOrStore(key K, v V) (actual V, loaded bool) {
	a, loaded := m.m.LoadOrStore(key, v)
	return value[V](a), loaded
}

// LoadAndDelete removes a key and returns its value, and whether there was one.
func (m *Map[K, V]) LoadAndDelete(key K) (V, bool) {
	v, ok := m.m.LoadAndDelete(key)
	return value[V](v), ok
}

// Swap sets the value of a key and returns the one before, and whether there was one.
func (m *Map[K, V]) Swap(key K, v V) (previous V, loaded bool) {
	p, loaded := m.m.Swap(key, v)
	return value[V](p), loaded
}

// CompareAndSwap sets the value of a key if it is old. It panics if V cannot be
// compared.
func (m *Map[K, V]) CompareAndSwap(key K, old, v V) bool { return m.m.CompareAndSwap(key, old, v) }

// CompareAndDelete removes a key if its value is old. It panics if V cannot be
// compared.
func (m *Map[K, V]) CompareAndDelete(key K, old V) bool { return m.m.CompareAndDelete(key, old) }

// Delete removes a key.
func (m *Map[K, V]) Delete(key K) { m.m.Delete(key) }

// Clear removes all keys.
func (m *Map[K, V]) Clear() { m.m.Clear() }

// Range calls f for each key until f returns false.
func (m *Map[K, V]) Range(f func(K, V) bool) {
	m.m.Range(func(k, v any) bool { return f(value[K](k), value[V](v)) })
}

// Len counts the keys; it takes time in proportion to their number.
func (m *Map[K, V]) Len() (n int) {
	m.m.Range(func(any, any) bool { n++; return true })
	return n
}

// Keys returns the keys in no particular order.
func (m *Map[K, V]) Keys() (keys []K) {
	m.Range(func(k K, _ V) bool { keys = append(keys, k); return true })
	return keys
}

// Values returns the values in no particular order.
func (m *Map[K, V]) Values() (values []V) {
	m.Range(func(_ K, v V) bool { values = append(values, v); return true })
	return values
}
