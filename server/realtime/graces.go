package realtime

import (
	"sync"
	"time"
)

// graces are the devices whose client is away and that the presence still has.
type graces struct {
	mu     sync.Mutex // held while a device leaves the presence, which waits for nothing
	timers map[string]*time.Timer
}

// start calls end with the device after d, unless stop is called before.
func (g *graces) start(device string, d time.Duration, end func(device string)) {
	if d <= 0 {
		end(device)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.timers == nil {
		g.timers = make(map[string]*time.Timer)
	}
	var timer *time.Timer
	timer = time.AfterFunc(d, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.timers[device] == timer {
			delete(g.timers, device)
			end(device)
		}
	})
	g.timers[device] = timer
}

// stop makes the device one that is connected.
func (g *graces) stop(device string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if timer := g.timers[device]; timer != nil {
		timer.Stop()
		delete(g.timers, device)
	}
}

// end calls end now.
func (g *graces) end(device string, end func(device string)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if timer := g.timers[device]; timer != nil {
		timer.Stop()
		delete(g.timers, device)
		end(device)
	}
}

func (g *graces) has(device string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.timers[device] != nil
}

func (g *graces) none() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.timers) == 0
}
