package main

import (
	"sync"
	"time"

	"github.com/zishang520/socket.io/v2/socket"
)

// service is the state that the events share: the users of each room, with their number of sockets.
type service struct {
	io          *socket.Server
	limit       *rateLimit
	presenceMax int

	mu    sync.Mutex
	rooms map[string]map[string]int // room -> user -> sockets
}

type success struct {
	Success   bool     `json:"success"`
	UserID    string   `json:"userId,omitempty"`
	SocketID  string   `json:"socketId,omitempty"`
	RoomID    any      `json:"roomId,omitempty"`
	Users     []string `json:"users,omitempty"`
	Total     int      `json:"total,omitempty"`
	Timestamp string   `json:"timestamp"`
}

type failure struct {
	Success bool              `json:"success"`
	Error   map[string]string `json:"error"`
}

type presence struct {
	UserID    string `json:"userId"`
	RoomID    any    `json:"roomId"`
	Status    string `json:"status,omitempty"`
	Timestamp string `json:"timestamp"`
}

type update struct {
	RoomID    any    `json:"roomId"`
	Type      string `json:"type"`
	Payload   any    `json:"payload"`
	From      string `json:"from"`
	Timestamp string `json:"timestamp"`
}

func now() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000Z") }

func refuse(code, message string) failure {
	return failure{Error: map[string]string{"code": code, "message": message}}
}

func (s *service) connected(c *socket.Socket) {
	user := c.Data().(string)
	joined := sync.Map{} // room -> id as the client sent it
	c.Join(socket.Room("user:" + user))
	c.Emit("authenticated", success{Success: true, UserID: user, SocketID: string(c.Id()), Timestamp: now()})

	// on handles an event, and answers with its ack, or with the reply event if the client passed none.
	on := func(name, reply string, handle func(arg any) any) {
		c.On(name, func(args ...any) {
			var ack socket.Ack
			if len(args) > 0 {
				if f, ok := args[len(args)-1].(socket.Ack); ok {
					ack, args = f, args[:len(args)-1]
				}
			}
			var value any
			switch {
			case !s.limit.allow(user):
				value = refuse("rate_limited", "Rate limit exceeded")
			case len(args) == 0:
				value = handle(nil)
			default:
				value = handle(args[0])
			}
			if ack != nil {
				ack([]any{value}, nil)
			} else if f, failed := value.(failure); failed {
				c.Emit("error", f.Error["message"], f.Error)
			} else {
				c.Emit(reply, value)
			}
		})
	}

	c.On("ping", func(args ...any) {
		if !s.limit.allow(string(c.Id())) {
			return
		}
		value := map[string]string{"timestamp": now()}
		c.Emit("pong", value)
		if len(args) > 0 {
			if ack, ok := args[len(args)-1].(socket.Ack); ok {
				ack([]any{value}, nil)
			}
		}
	})
	on("join-room", "room-joined", func(arg any) any {
		id, room, ok := roomOf(arg)
		if !ok {
			return refuse("invalid", "roomId must be 1 to 256 characters")
		}
		_, again := joined.LoadOrStore(room, id)
		users, total, first := s.join(room, user, again)
		timestamp := now()
		if !again {
			c.Join(socket.Room(room))
			if first && total > 1 && total <= s.presenceMax {
				c.To(socket.Room(room)).Emit("user-joined", presence{UserID: user, RoomID: id, Timestamp: timestamp})
				c.To(socket.Room(room)).Emit("user-presence", presence{user, id, "online", timestamp})
			}
		}
		return success{Success: true, RoomID: id, Users: users, Total: total, Timestamp: timestamp}
	})
	on("leave-room", "room-left", func(arg any) any {
		id, room, ok := roomOf(arg)
		if !ok {
			return refuse("invalid", "roomId must be 1 to 256 characters")
		}
		if _, was := joined.LoadAndDelete(room); was {
			c.Leave(socket.Room(room))
			s.leave(c, room, user, id)
		}
		return success{Success: true, RoomID: id, Timestamp: now()}
	})
	on("publish-update", "update-published", func(arg any) any {
		fields, _ := arg.(map[string]any)
		id, room, ok := roomOf(fields)
		if !ok {
			return refuse("invalid", "roomId must be 1 to 256 characters")
		}
		kind, _ := fields["type"].(string)
		if kind == "" || len(kind) > 256 {
			return refuse("invalid", "type must be 1 to 256 characters")
		}
		if !s.member(room, user) {
			return refuse("unauthorized", "Unauthorized")
		}
		timestamp := now()
		s.io.To(socket.Room(room)).Emit("update", update{id, kind, fields["payload"], user, timestamp})
		return success{Success: true, RoomID: id, Timestamp: timestamp}
	})
	c.On("disconnect", func(...any) {
		joined.Range(func(room, id any) bool {
			s.leave(c, room.(string), user, id)
			return true
		})
	})
}

func roomOf(arg any) (id any, room string, ok bool) {
	if fields, isObject := arg.(map[string]any); isObject {
		arg = fields["roomId"]
	}
	name, isString := arg.(string)
	return arg, "room:" + name, isString && len(name) >= 1 && len(name) <= 256
}

func (s *service) member(room, user string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rooms[room][user] > 0
}

func (s *service) join(room, user string, again bool) (users []string, total int, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	members := s.rooms[room]
	if members == nil {
		members = map[string]int{}
		s.rooms[room] = members
	}
	first = members[user] == 0
	if !again {
		members[user]++
	}
	for name := range members {
		if users = append(users, name); len(users) == 1000 {
			break
		}
	}
	return users, len(members), first
}

func (s *service) leave(c *socket.Socket, room, user string, id any) {
	s.mu.Lock()
	members := s.rooms[room]
	members[user]--
	last, left := members[user] <= 0, 0
	if last {
		delete(members, user)
		if left = len(members); left == 0 {
			delete(s.rooms, room)
		}
	}
	s.mu.Unlock()
	if last && left > 0 && left <= s.presenceMax {
		timestamp := now()
		c.To(socket.Room(room)).Emit("user-left", presence{UserID: user, RoomID: id, Timestamp: timestamp})
		c.To(socket.Room(room)).Emit("user-presence", presence{user, id, "offline", timestamp})
	}
}
