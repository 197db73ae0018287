package utils

import (
	"maps"
	"slices"
	"sync"
)

// ParameterBag holds headers or query parameters: names with lists of values. It is
// safe for concurrent use.
type ParameterBag struct {
	mu     sync.RWMutex
	values map[string][]string
}

// NewParameterBag returns a bag of these values, which belong to it from then on.
func NewParameterBag(values map[string][]string) *ParameterBag {
	if values == nil {
		values = make(map[string][]string)
	}
	return &ParameterBag{values: values}
}

// All returns a copy of the values.
func (p *ParameterBag) All() map[string][]string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	all := make(map[string][]string, len(p.values))
	for name, list := range p.values {
		all[name] = slices.Clone(list)
	}
	return all
}

// Keys returns the names, in no particular order.
func (p *ParameterBag) Keys() []string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return slices.Collect(maps.Keys(p.values))
}

// Count returns the number of names.
func (p *ParameterBag) Count() int {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return len(p.values)
}

// Has reports whether there is the name.
func (p *ParameterBag) Has(name string) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	_, ok := p.values[name]
	return ok
}

// Gets returns the values of a name. Without any it returns the fallback, and false.
func (p *ParameterBag) Gets(name string, fallback ...[]string) ([]string, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if list, ok := p.values[name]; ok {
		return slices.Clone(list), true
	}
	if len(fallback) > 0 {
		return fallback[0], false
	}
	return []string{}, false
}

// Get returns the last value of a name. Without any it returns the fallback, and
// false.
func (p *ParameterBag) Get(name string, fallback ...string) (string, bool) {
	return p.pick(name, fallback, func(list []string) string { return list[len(list)-1] })
}

// GetLast is Get.
func (p *ParameterBag) GetLast(name string, fallback ...string) (string, bool) {
	return p.Get(name, fallback...)
}

// GetFirst is Get for the first value.
func (p *ParameterBag) GetFirst(name string, fallback ...string) (string, bool) {
	return p.pick(name, fallback, func(list []string) string { return list[0] })
}

// Peek is Get without the report.
func (p *ParameterBag) Peek(name string, fallback ...string) string {
	v, _ := p.Get(name, fallback...)
	return v
}

func (p *ParameterBag) pick(name string, fallback []string, of func([]string) string) (string, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if list := p.values[name]; len(list) > 0 {
		return of(list), true
	}
	if len(fallback) > 0 {
		return fallback[0], false
	}
	return "", false
}

// Set replaces the values of a name by one.
func (p *ParameterBag) Set(name, value string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.values[name] = []string{value}
}

// Add appends a value to those of a name.
func (p *ParameterBag) Add(name, value string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.values[name] = append(p.values[name], value)
}

// Remove removes a name.
func (p *ParameterBag) Remove(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.values, name)
}

// With replaces the values of each of these names.
func (p *ParameterBag) With(values map[string][]string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, list := range values {
		p.values[name] = slices.Clone(list)
	}
}

// Replace replaces everything. The values belong to the bag from then on.
func (p *ParameterBag) Replace(values map[string][]string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.values = values
}
