package socket

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/puente-io/puente/server/socketio"
)

// pattern makes a namespace a parent: it stands for all namespaces that match, which
// are made when a client connects to one. These children start with the parent's
// listeners and middleware of that moment. What a parent emits reaches all children.
type pattern struct {
	match func(name string, auth any, next func(error, bool))
	// pure: match decides by the name alone, so Of(name) finds it too.
	pure bool
}

var parents atomic.Uint64

func (s *Server) addParent(p *pattern) *namespace {
	n := newNamespace(s, fmt.Sprintf("/_%d", parents.Add(1)-1))
	n.pattern = p
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parents = append(s.parents, n)
	if s.node != nil {
		s.node.addParent(n)
	}
	return n
}

// addParent makes the node create the parent's namespaces when clients ask for them.
func (nd *node) addParent(n *namespace) {
	handlers := nd.io.NamespacePattern(func(ctx context.Context, name string, auth socketio.Value) bool {
		value, _ := decode(auth)
		return n.allows(ctx, name, value)
	})
	n.server.install(handlers.Handlers, n)
}

// allows asks the pattern, which may answer later.
func (n *namespace) allows(ctx context.Context, name string, auth any) bool {
	answer := make(chan bool, 1)
	n.match(name, auth, func(err error, allow bool) {
		select {
		case answer <- err == nil && allow:
		default:
		}
	})
	select {
	case allow := <-answer:
		return allow
	case <-ctx.Done():
		return false
	}
}

// newChild returns a new child of the parent.
func (n *namespace) newChild(name string) *namespace {
	child := newNamespace(n.server, name)
	child.fns = slices.Clone(n.middleware())
	for _, event := range n.EventNames() {
		child.StrictEventEmitter.AddListener(event, n.StrictEventEmitter.EventEmitter.Listeners(event)...)
	}
	child.parent = n
	return child
}

// children returns the parent's current namespaces, or the namespace itself if it is
// no parent.
func (n *namespace) children() []*namespace {
	if n.pattern == nil {
		return []*namespace{n}
	}
	var list []*namespace
	n.server.namespaces.Range(func(_ string, child *namespace) bool {
		if child.parent == n {
			list = append(list, child)
		}
		return true
	})
	return list
}
