package types

import (
	"errors"
	"slices"
	"sync"
)

// Errors of a Slice.
var (
	ErrSliceEmpty        = errors.New("slice is empty")
	ErrIndexOutOfBounds  = errors.New("index out of bounds")
	ErrInvalidSliceRange = errors.New("invalid slice range")
)

// Slice is a list that is safe for concurrent use. Functions that are passed to its
// methods must not call it.
type Slice[T any] struct {
	mu   sync.RWMutex
	list []T
}

// NewSlice returns a list of the elements.
func NewSlice[T any](elements ...T) *Slice[T] { return &Slice[T]{list: elements} }

// Push appends elements and returns the length.
func (s *Slice[T]) Push(elements ...T) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, elements...)
	return len(s.list)
}

// Unshift inserts elements at the start and returns the length.
func (s *Slice[T]) Unshift(elements ...T) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = slices.Insert(s.list, 0, elements...)
	return len(s.list)
}

// Pop removes and returns the last element, or returns ErrSliceEmpty.
func (s *Slice[T]) Pop() (last T, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.list) == 0 {
		return last, ErrSliceEmpty
	}
	last = s.list[len(s.list)-1]
	s.list = slices.Delete(s.list, len(s.list)-1, len(s.list))
	return last, nil
}

// Shift removes and returns the first element, or returns ErrSliceEmpty.
func (s *Slice[T]) Shift() (first T, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.list) == 0 {
		return first, ErrSliceEmpty
	}
	first = s.list[0]
	s.list = slices.Delete(s.list, 0, 1)
	return first, nil
}

// Get returns an element, or ErrIndexOutOfBounds.
func (s *Slice[T]) Get(i int) (element T, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if i < 0 || i >= len(s.list) {
		return element, ErrIndexOutOfBounds
	}
	return s.list[i], nil
}

// Set replaces an element; it returns ErrIndexOutOfBounds if there is none.
func (s *Slice[T]) Set(i int, element T) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i < 0 || i >= len(s.list) {
		return ErrIndexOutOfBounds
	}
	s.list[i] = element
	return nil
}

// Slice returns a copy of the elements from start to before end, or
// ErrInvalidSliceRange.
func (s *Slice[T]) Slice(start, end int) ([]T, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if start < 0 || end > len(s.list) || start > end {
		return nil, ErrInvalidSliceRange
	}
	return slices.Clone(s.list[start:end]), nil
}

// Splice removes count elements from start on, inserts others there, and returns the
// removed ones. A count that is too large means all to the end.
func (s *Slice[T]) Splice(start, count int, insert ...T) ([]T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.splice(start, count, insert)
}

func (s *Slice[T]) splice(start, count int, insert []T) ([]T, error) {
	if start < 0 || start > len(s.list) {
		return nil, ErrIndexOutOfBounds
	}
	end := start + max(0, min(count, len(s.list)-start))
	removed := slices.Clone(s.list[start:end])
	s.list = slices.Replace(s.list, start, end, insert...)
	return removed, nil
}

// Filter returns the elements that f reports true for.
func (s *Slice[T]) Filter(f func(T) bool) (found []T) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, e := range s.list {
		if f(e) {
			found = append(found, e)
		}
	}
	return found
}

// FindIndex returns the index of the first element that f reports true for, or -1.
func (s *Slice[T]) FindIndex(f func(T) bool) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.IndexFunc(s.list, f)
}

// Remove removes the first element that f reports true for.
func (s *Slice[T]) Remove(f func(T) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(s.list, f); i >= 0 {
		s.list = slices.Delete(s.list, i, i+1)
	}
}

// RemoveAll removes the elements that f reports true for.
func (s *Slice[T]) RemoveAll(f func(T) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = slices.DeleteFunc(s.list, f)
}

// Range calls f for each element, from the last one if reverse is true, until f
// returns false.
func (s *Slice[T]) Range(f func(T, int) bool, reverse ...bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for n := range s.list {
		if i := position(n, len(s.list), reverse); !f(s.list[i], i) {
			return
		}
	}
}

// position is the index of step n through a list.
func position(n, length int, reverse []bool) int {
	if len(reverse) > 0 && reverse[0] {
		return length - 1 - n
	}
	return n
}

// RangeAndSplice calls f for each element until f reports true, and then splices
// with the other results of f. It returns the removed elements.
func (s *Slice[T]) RangeAndSplice(f func(T, int) (bool, int, int, []T), reverse ...bool) ([]T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := range s.list {
		i := position(n, len(s.list), reverse)
		if found, start, count, insert := f(s.list[i], i); found {
			return s.splice(start, count, insert)
		}
	}
	return nil, nil
}

// DoRead calls f with the elements, which it must neither change nor keep.
func (s *Slice[T]) DoRead(f func([]T)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	f(s.list)
}

// DoWrite replaces the elements by what f returns.
func (s *Slice[T]) DoWrite(f func([]T) []T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = f(s.list)
}

// Replace replaces the elements.
func (s *Slice[T]) Replace(elements []T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = elements
}

// All returns a copy.
func (s *Slice[T]) All() []T {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return append(make([]T, 0, len(s.list)), s.list...)
}

// AllAndClear removes and returns all elements.
func (s *Slice[T]) AllAndClear() []T {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.list
	s.list = nil
	return all
}

// Clear removes all elements.
func (s *Slice[T]) Clear() { s.Replace(nil) }

// Len returns the number of elements.
func (s *Slice[T]) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.list)
}
