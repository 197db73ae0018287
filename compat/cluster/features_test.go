package cluster_test

import (
	"fmt"
	"strings"

	"github.com/puente-io/puente/server/waittest"
)

// features are the rows of the table in ../CLUSTER.md.
var features = []struct {
	name    string
	emitter bool // the emitter supports it
	classic bool // only the classic adapter supports it
	test    func(p *pair)
}{
	{"broadcast to all", true, false, func(p *pair) {
		p.emit(command{Args: raw(`"a"`, `1`, `null`)})
		p.got("t1", `["a",1,null]`)
		p.got("t2", `["a",1,null]`)
		if !p.emitter { // from's own clients get it once
			p.got("f1", `["a",1,null]`)
		}
	}},
	{"broadcast to a room", true, false, func(p *pair) {
		p.emit(command{Rooms: []string{"r"}})
		p.got("t1", `[]`)
		p.got("t2")
	}},
	{"broadcast to several rooms", true, false, func(p *pair) {
		p.emit(command{Rooms: []string{"r", "q", "s"}})
		p.got("t1", `[]`)
		p.got("t2", `[]`)
	}},
	{"broadcast to a socket id", true, false, func(p *pair) {
		p.emit(command{Rooms: []string{p.ids["t2"]}})
		p.got("t1")
		p.got("t2", `[]`)
	}},
	{"except", true, false, func(p *pair) {
		p.emit(command{Except: []string{"q"}})
		p.emit(command{Rooms: []string{"r", "s"}, Except: []string{p.ids["t2"]}, Args: raw("2")})
		p.got("t1", `[2]`)
		p.got("t2", `[]`)
	}},
	{"flags", true, false, func(p *pair) {
		for i, flags := range [][]string{{"volatile"}, {"uncompressed"}, {"volatile", "uncompressed"}} {
			p.emit(command{Rooms: []string{"r"}, Flags: flags})
			// One at a time: a volatile event may be lost if another is being sent.
			p.node.do(p.t, command{Do: "got", Name: "t1", Event: p.t.Name(), N: i + 1})
		}
		p.got("t1", `[]`, `[]`, `[]`)
	}},
	{"namespace", true, false, func(p *pair) {
		p.emit(command{NSP: "/chat", Rooms: []string{"r"}, Args: raw("1")})
		p.emit(command{NSP: "/chat", Args: raw("2")})
		p.same(`[[1],[2]]`, p.node.do(p.t, command{Do: "got", Name: "c1", Event: p.t.Name(), N: 2}))
		p.got("t1")
	}},
	{"binary", true, false, func(p *pair) {
		big := `{"$bin":"` + strings.Repeat("00ff7b", 30000) + `"}`
		args := []string{`{"$bin":"0102"}`, `{"deep":[{"b":{"$bin":""}},` + big + `]}`, `"text"`}
		p.emit(command{Rooms: []string{"r"}, Args: raw(args...)})
		p.got("t1", "["+joined(args)+"]")
	}},
	{"more attachments than clients take", true, false, func(p *pair) {
		if !p.fromNode {
			return // an error of Emit
		}
		blobs := make([]string, 11)
		for i := range blobs {
			blobs[i] = fmt.Sprintf(`{"$bin":"%02x"}`, i)
		}
		p.emit(command{Rooms: []string{"q"}, Args: raw(blobs...)}) // Node has no client in q: it would be disconnected
		p.emit(command{Rooms: []string{"q"}, Args: raw(blobs[:10]...)})
		p.got("t1", "["+joined(blobs[:10])+"]")
	}},
	{"values", true, false, func(p *pair) {
		args := []string{
			`[0,1,-1,127,128,255,256,65536,-128,-129,-32769,2147483648,-2147483649,4294967296,9007199254740991,-9007199254740991]`,
			`[0.5,-0.25,1e21,5e-324,1.7976931348623157e308,123456.789]`,
			`"é \ud83d\ude00 \" \\ \n \u0000"`, `{"":{"a":[[],{},null,true,false]},"é":1}`, `{"_placeholder":false,"num":0}`,
		}
		if p.fromNode { // notepack wraps integral numbers above 2^64
			args[1] = `[0.5,-0.25,5e-324,123456.789]`
		}
		p.emit(command{Rooms: []string{"r"}, Args: raw(args...)})
		p.got("t1", "["+joined(args)+"]")
	}},
	{"order", true, false, func(p *pair) {
		var want []string
		for i := range 200 {
			p.emit(command{Rooms: []string{"r"}, Args: raw(fmt.Sprint(i))})
			want = append(want, fmt.Sprintf("[%d]", i))
		}
		p.got("t1", want...)
	}},
	{"broadcast with acknowledgements", false, false, func(p *pair) {
		answers := p.from.do(p.t, command{Do: "emitWithAck", Event: "ask " + p.t.Name(), Args: raw(`1`, `{"$bin":"ff"}`), Timeout: 20000})
		p.same(`[{"bin":{"$bin":"01ff"},"from":"f1"},{"bin":{"$bin":"01ff"},"from":"t1"},{"bin":{"$bin":"01ff"},"from":"t2"}]`, sorted(p.t, answers))
		p.same(`[[1,{"$bin":"ff"}]]`, p.node.do(p.t, command{Do: "got", Name: "t1", Event: "ask " + p.t.Name(), N: 1}))
		p.same(`[[1,{"$bin":"ff"}]]`, p.node.do(p.t, command{Do: "got", Name: "f1", Event: "ask " + p.t.Name(), N: 1}))
	}},
	{"acknowledgements of a room", false, false, func(p *pair) {
		answers := p.from.do(p.t, command{Do: "emitWithAck", Rooms: []string{"q"}, Event: "ask", Timeout: 20000})
		p.same(`[{"bin":{"$bin":"01ff"},"from":"t1"}]`, answers)
		p.same(`[]`, p.from.do(p.t, command{Do: "emitWithAck", Rooms: []string{"nobody"}, Event: "ask", Timeout: 20000}))
	}},
	{"acknowledgements that time out", false, false, func(p *pair) {
		p.same(`{"timeout":true,"answers":[]}`, p.from.do(p.t, command{Do: "emitWithAck", Rooms: []string{"q"}, Event: "silent", Timeout: 500}))
	}},
	{"fetchSockets", false, false, func(p *pair) {
		keys := `["address","auth","headers","issued","query","secure","time","url","xdomain"]`
		info := func(name, rooms string) string {
			return fmt.Sprintf(`{"auth":{"name":%q},"data":{"of":%q},"id":%q,"keys":%s,"rooms":%s}`, name, name, p.ids[name], keys, rooms)
		}
		all := p.from.do(p.t, command{Do: "fetchSockets"})
		p.same(sorted(p.t, "["+info("f1", `["r"]`)+","+info("t1", `["q","r"]`)+","+info("t2", `["s"]`)+"]"), sorted(p.t, all))
		p.same("["+info("t2", `["s"]`)+"]", p.from.do(p.t, command{Do: "fetchSockets", Rooms: []string{p.ids["t2"]}}))
	}},
	{"socketsJoin and socketsLeave", true, false, func(p *pair) {
		rooms := func(want string) {
			p.t.Helper()
			waittest.Until(p.t, "t1 is in "+want, func() bool {
				return equal(want, p.node.do(p.t, command{Do: "ask", Name: "t1", Event: "rooms"}))
			})
		}
		p.from.do(p.t, command{Do: "socketsJoin", Rooms: []string{"r"}, Except: []string{"s"}, Args: raw(`"new1"`, `"new2"`)})
		rooms(`["new1","new2","q","r"]`)
		p.from.do(p.t, command{Do: "socketsLeave", Rooms: []string{p.ids["t1"]}, Args: raw(`"new1"`, `"new2"`)})
		rooms(`["q","r"]`)
		p.same(`["s"]`, p.node.do(p.t, command{Do: "ask", Name: "t2", Event: "rooms"}))
		if !p.emitter {
			p.from.do(p.t, command{Do: "socketsLeave", Rooms: []string{p.ids["f1"]}, Args: raw(`"new1"`, `"new2"`)})
		}
	}},
	{"serverSideEmit", true, false, func(p *pair) {
		args := raw(`"a"`, `{"b":[1.5,null]}`)
		if p.sharded {
			args = append(args, raw(`{"$bin":"00ff"}`)...)
		}
		p.from.do(p.t, command{Do: "serverSideEmit", Event: "note", Args: args})
		want := `["a",{"b":[1.5,null]}]`
		if p.sharded {
			want = `["a",{"b":[1.5,null]},{"$bin":"00ff"}]`
		}
		p.same("["+want+"]", p.to.do(p.t, command{Do: "notes", N: 1}))
	}},
	{"serverSideEmit with acknowledgements", false, false, func(p *pair) {
		got := p.from.do(p.t, command{Do: "serverSideEmitWithAck", Event: "question", Args: raw(`{"n":1}`)})
		p.same(fmt.Sprintf(`[{"from":%q,"arg":{"n":1}}]`, p.toName), got)
	}},
	{"server count", false, false, func(p *pair) {
		p.same("2", p.from.do(p.t, command{Do: "serverCount"}))
	}},
	{"all rooms", false, true, func(p *pair) {
		p.same(`["q","r","s"]`, p.from.do(p.t, command{Do: "allRooms"}))
	}},
	{"disconnectSockets", true, false, func(p *pair) {
		p.from.do(p.t, command{Do: "disconnectSockets", Rooms: []string{"q"}})
		p.node.do(p.t, command{Do: "gone", Name: "t1"})
		p.emit(command{Args: raw("1")})
		p.got("t2", `[1]`)
	}},
}
