package recovery

import (
	"encoding/binary"
	"iter"
)

// Selection says to which sessions an event was sent: to those that were in at least one of
// Rooms (all sessions if Rooms is empty) and in none of Except.
type Selection struct {
	Rooms, Except []string
}

// Event is an event as it was sent: a text, which has the event's offset, and attachments.
// Flags are of the log's user.
type Event struct {
	Selection
	Flags       byte
	Text        []byte
	Attachments [][]byte
}

// size returns the number of bytes that the event carries.
func (e *Event) size() int {
	n := len(e.Text)
	for _, a := range e.Attachments {
		n += len(a)
	}
	return n
}

// store has events in the order in which they were added, as bytes in large blocks, so that
// they cost no more memory than they must, and the garbage collector has nothing to look
// through.
type store struct {
	places []place // those before head have been dropped
	head   int
	blocks [][]byte // the first has the event at head; len: what is used
	first  uint32   // number of blocks before the first
	spare  []byte   // a block of blockSize that is free, or nil
}

// place names the block that has an event, and the event's offset there; at is the time when
// the event was sent, in nanoseconds since 1970.
type place struct {
	at     int64
	block  uint32
	offset uint32
}

// blockSize is the capacity of a block, unless one event is larger.
const blockSize = 64 << 10

func (s *store) len() int { return len(s.places) - s.head }

// oldest returns when the first event was sent, or 0.
func (s *store) oldest() int64 {
	if s.len() == 0 {
		return 0
	}
	return s.places[s.head].at
}

// add adds a copy of an event, and returns how many bytes it has allocated.
func (s *store) add(e *Event, now int64) (allocated int) {
	most := len(e.Text) + 1 + 4*binary.MaxVarintLen32
	for _, list := range [...][]string{e.Rooms, e.Except} {
		for _, name := range list {
			most += len(name) + binary.MaxVarintLen32
		}
	}
	for _, a := range e.Attachments {
		most += len(a) + binary.MaxVarintLen32
	}
	last := len(s.blocks) - 1
	if last < 0 || cap(s.blocks[last])-len(s.blocks[last]) < most {
		allocated = max(blockSize, most)
		block := s.spare
		if s.spare = nil; cap(block) < most {
			block = make([]byte, 0, allocated)
		}
		s.blocks = append(s.blocks, block)
		last++
	}
	b := s.blocks[last]
	s.places = append(s.places, place{now, s.first + uint32(last), uint32(len(b))})
	b = appendNames(appendNames(b, e.Rooms), e.Except)
	b = appendBytes(append(b, e.Flags), e.Text)
	b = binary.AppendUvarint(b, uint64(len(e.Attachments)))
	for _, a := range e.Attachments {
		b = appendBytes(b, a)
	}
	s.blocks[last] = b
	return allocated
}

// drop drops the first event, and returns how many bytes are free.
func (s *store) drop() (freed int) {
	s.head++
	next := s.first + uint32(len(s.blocks))
	if s.len() > 0 {
		next = s.places[s.head].block
	}
	for s.first != next {
		freed += cap(s.blocks[0])
		if cap(s.blocks[0]) == blockSize {
			s.spare = s.blocks[0][:0]
		}
		s.blocks[0] = nil
		s.blocks = s.blocks[1:]
		s.first++
	}
	if s.head > 64 && s.head > len(s.places)/2 {
		s.places = append(s.places[:0], s.places[s.head:]...)
		s.head = 0
	}
	return freed
}

// bytes returns the event number i, counted from the first.
func (s *store) bytes(i int) []byte {
	p := s.places[s.head+i]
	return s.blocks[p.block-s.first][p.offset:]
}

// roomsOf yields the names of the rooms of event number i. They must not be kept.
func (s *store) roomsOf(i int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		names(s.bytes(i), yield)
	}
}

// event returns event number i without its rooms. Its bytes are valid until it is dropped.
func (s *store) event(i int) (e Event) {
	b := names(s.bytes(i), func([]byte) bool { return true })
	b = names(b, func(name []byte) bool { e.Except = append(e.Except, string(name)); return true })
	e.Flags = b[0]
	e.Text, b = cutBytes(b[1:])
	n, size := binary.Uvarint(b)
	b = b[size:]
	for range n {
		var a []byte
		a, b = cutBytes(b)
		e.Attachments = append(e.Attachments, a)
	}
	return e
}

func appendNames(b []byte, names []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(names)))
	for _, name := range names {
		b = append(binary.AppendUvarint(b, uint64(len(name))), name...)
	}
	return b
}

// names calls f with each name of a list until it returns false, and returns what follows
// the list.
func names(b []byte, f func([]byte) bool) []byte {
	n, size := binary.Uvarint(b)
	b = b[size:]
	for range n {
		var name []byte
		if name, b = cutBytes(b); !f(name) {
			break
		}
	}
	return b
}

func appendBytes(b, data []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(data))), data...)
}

func cutBytes(b []byte) (data, rest []byte) {
	n, size := binary.Uvarint(b)
	end := size + int(n)
	return b[size:end:end], b[end:]
}
