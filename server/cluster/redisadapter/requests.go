package redisadapter

import (
	"slices"
	"sync"

	"github.com/puente-io/puente/server/socketio/adapter"
)

// requests are the requests of a node that wait for answers.
type requests struct {
	maxBytes int

	mu   sync.Mutex
	byID map[string]*request
}

func (rs *requests) init(maxBytes int) {
	rs.maxBytes = maxBytes
	rs.byID = make(map[string]*request)
}

// request collects answers.
type request struct {
	kind kind
	done chan struct{} // closed when all answers have arrived

	mu    sync.Mutex
	nodes int // that have not answered
	bytes int // of the answers
	got   answers
	full  bool
}

// answers are what the other nodes have answered.
type answers struct {
	answers []adapter.Args
	clients int
	sockets []adapter.SocketInfo
	rooms   []string
}

// register starts to collect the answers of a number of nodes to m.
func (rs *requests) register(m *message, nodes int) *request {
	r := &request{kind: m.kind, nodes: nodes, done: make(chan struct{})}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.byID[m.requestID] = r
	return r
}

func (rs *requests) forget(id string) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	delete(rs.byID, id)
}

// awaits reports whether the request waits for answers.
func (rs *requests) awaits(id string) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.byID[id] != nil
}

// answer adds m to the request that it answers. It reports false if there is none.
func (rs *requests) answer(m *message) bool {
	rs.mu.Lock()
	r := rs.byID[m.requestID]
	rs.mu.Unlock()
	return r != nil && r.add(m, rs.maxBytes)
}

// answersOf has the kind of request that an answer is for.
var answersOf = [...]kind{
	clientCount: broadcast, clientAck: broadcast, socketsAnswer: fetch, roomsAnswer: allRooms, emitAnswer: serverSideEmit,
	receipt: 0, idsAnswer: 0,
}

func (r *request) add(m *message, maxBytes int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	size := m.size()
	wanted := answersOf[m.kind] == r.kind || r.kind == allRooms && m.kind == socketsAnswer
	if !wanted || r.full || r.bytes+size > maxBytes {
		return false
	}
	r.bytes += size
	switch m.kind {
	case clientCount:
		r.got.clients += m.clients
		r.nodes--
	case clientAck:
		r.got.answers = append(r.got.answers, m.args)
	case emitAnswer:
		r.got.answers = append(r.got.answers, m.args)
		r.nodes--
	default:
		r.got.sockets = append(r.got.sockets, m.sockets...)
		r.got.rooms = append(r.got.rooms, m.rooms...)
		r.nodes--
	}
	if r.nodes <= 0 && (r.kind != broadcast || len(r.got.answers) >= r.got.clients) {
		r.full = true
		close(r.done)
	}
	return true
}

// size returns how many bytes an answer adds to the memory of a request.
func (m *message) size() int {
	n := 128 + len(m.args.List)
	for _, a := range m.args.Attachments {
		n += len(a)
	}
	for _, r := range m.rooms {
		n += 16 + len(r)
	}
	for i := range m.sockets {
		n += sizeOfSocket(&m.sockets[i])
	}
	return n
}

func sizeOfSocket(s *adapter.SocketInfo) int {
	n := 128 + len(s.Handshake) + len(s.Data)
	for _, r := range s.Rooms {
		n += 16 + len(r)
	}
	return n
}

// result returns what has arrived so far.
func (r *request) result() answers {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	got.answers = slices.Clip(got.answers)
	return got
}

// allRooms returns the answered rooms, without sockets' own. The classic protocol does
// not mark these; what looks like an id counts as one.
func (a answers) allRooms() []string {
	list := slices.DeleteFunc(slices.Clone(a.rooms), looksLikeID)
	for _, s := range a.sockets {
		for _, r := range s.Rooms {
			if r != s.ID {
				list = append(list, r)
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// looksLikeID reports whether a room may be a socket's own: 20 characters of
// URL-safe base64.
func looksLikeID(room string) bool {
	for _, c := range []byte(room) {
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && c != '-' && c != '_' {
			return false
		}
	}
	return len(room) == 20
}
