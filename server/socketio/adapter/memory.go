package adapter

import (
	"context"
	"slices"
	"sync"

	"github.com/puente-io/puente/server/socketio/packet"
)

// Memory connects the namespaces of several servers in one process, for tests
// and for programs that run more than one server. It behaves like the Redis
// adapters. With a single server, the default, it does nothing. It is safe for
// concurrent use.
type Memory struct {
	mu    sync.RWMutex
	nodes map[string][]*memoryNode // by namespace
}

// NewMemory returns a cluster without nodes.
func NewMemory() *Memory { return &Memory{nodes: make(map[string][]*memoryNode)} }

// Factory returns the [Factory] for servers that join the cluster.
func (c *Memory) Factory() Factory {
	return func(local Local) Adapter {
		n := &memoryNode{cluster: c, local: local}
		c.mu.Lock()
		defer c.mu.Unlock()
		name := local.Name()
		c.nodes[name] = append(slices.Clip(c.nodes[name]), n)
		return n
	}
}

// memoryNode is one server's adapter. It calls the other nodes' namespaces
// directly, on the caller's goroutine.
type memoryNode struct {
	cluster *Memory
	local   Local
	closed  bool // guarded by cluster.mu
}

// others returns the other nodes of the namespace, or ErrClosed.
func (n *memoryNode) others() ([]*memoryNode, error) {
	n.cluster.mu.RLock()
	defer n.cluster.mu.RUnlock()
	if n.closed {
		return nil, ErrClosed
	}
	all := n.cluster.nodes[n.local.Name()]
	if len(all) == 1 {
		return nil, nil
	}
	others := make([]*memoryNode, 0, len(all))
	for _, o := range all {
		if o != n {
			others = append(others, o)
		}
	}
	return others, nil
}

func (n *memoryNode) Broadcast(_ context.Context, p *packet.Packet, sel Selection, flags Flags) error {
	accepted := flags.Accepted
	flags.Accepted = nil
	others, err := n.others()
	if flags.Foreign {
		return err
	}
	for _, o := range others {
		o.local.DeliverBroadcast(p, sel, flags)
	}
	if err == nil {
		accepted.Resolve(nil)
	}
	return err
}

func (n *memoryNode) BroadcastWithAck(ctx context.Context, p *packet.Packet, sel Selection, flags Flags) ([]Args, int, error) {
	others, err := n.others()
	if len(others) == 0 {
		return nil, 0, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		mu      sync.Mutex
		answers []Args
	)
	came := make(chan struct{}, 1)
	clients := 0
	for _, o := range others {
		clients += o.local.DeliverBroadcastWithAck(ctx, p, sel, flags, func(a Args) {
			mu.Lock()
			answers = append(answers, a)
			mu.Unlock()
			select {
			case came <- struct{}{}:
			default:
			}
		})
	}
	for {
		mu.Lock()
		got := slices.Clone(answers)
		mu.Unlock()
		if len(got) >= clients {
			return got, clients, nil
		}
		select {
		case <-came:
		case <-ctx.Done():
			return got, clients, ErrTimeout
		}
	}
}

func (n *memoryNode) FetchSockets(_ context.Context, sel Selection) ([]SocketInfo, error) {
	others, err := n.others()
	var all []SocketInfo
	for _, o := range others {
		all = append(all, o.local.LocalSockets(sel)...)
	}
	return all, err
}

func (n *memoryNode) Join(_ context.Context, sel Selection, rooms []string) error {
	others, err := n.others()
	for _, o := range others {
		o.local.JoinLocal(sel, rooms)
	}
	return err
}

func (n *memoryNode) Leave(_ context.Context, sel Selection, rooms []string) error {
	others, err := n.others()
	for _, o := range others {
		o.local.LeaveLocal(sel, rooms)
	}
	return err
}

func (n *memoryNode) Disconnect(_ context.Context, sel Selection, closeConn bool) error {
	others, err := n.others()
	for _, o := range others {
		o.local.DisconnectLocal(sel, closeConn)
	}
	return err
}

func (n *memoryNode) ServerSideEmit(_ context.Context, event string, args Args) error {
	others, err := n.others()
	for _, o := range others {
		o.local.DeliverServerSide(event, args, nil)
	}
	return err
}

func (n *memoryNode) ServerSideEmitWithAck(ctx context.Context, event string, args Args) ([]Args, error) {
	others, err := n.others()
	if err != nil {
		return nil, err
	}
	answers := make(chan Args, len(others))
	for _, o := range others {
		var once sync.Once
		o.local.DeliverServerSide(event, args, func(a Args) { once.Do(func() { answers <- a }) })
	}
	var got []Args
	for range others {
		select {
		case a := <-answers:
			got = append(got, a)
		case <-ctx.Done():
			return got, ErrTimeout
		}
	}
	return got, nil
}

func (n *memoryNode) ServerCount(context.Context) (int, error) {
	others, err := n.others()
	return len(others) + 1, err
}

func (n *memoryNode) AllRooms(context.Context) ([]string, error) {
	others, err := n.others()
	var all []string
	for _, o := range others {
		all = append(all, o.local.LocalRooms()...)
	}
	slices.Sort(all)
	return slices.Compact(all), err
}

// Nothing to do: each broadcast asks the other nodes.
func (n *memoryNode) RoomCreated(string)                {}
func (n *memoryNode) RoomDeleted(string)                {}
func (n *memoryNode) AwaitRoom(context.Context, string) {}

func (n *memoryNode) Close() error {
	n.cluster.mu.Lock()
	defer n.cluster.mu.Unlock()
	n.closed = true
	name := n.local.Name()
	rest := slices.DeleteFunc(slices.Clone(n.cluster.nodes[name]), func(o *memoryNode) bool { return o == n })
	if len(rest) == 0 {
		delete(n.cluster.nodes, name)
	} else {
		n.cluster.nodes[name] = rest
	}
	return nil
}
