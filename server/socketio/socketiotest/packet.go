package socketiotest

import (
	"strconv"
	"strings"

	"github.com/puente-io/puente/server/engineio/engineiotest"
	"github.com/puente-io/puente/server/socketio/msgpack"
	"github.com/puente-io/puente/server/socketio/packet"
)

// sendPacket sends a packet, which is given as text.
func (c *Client) sendPacket(text string, attachments [][]byte) {
	c.t.Helper()
	c.sending.Lock()
	defer c.sending.Unlock()
	if c.msgpack {
		c.SendBinary(c.pack(text, attachments))
		return
	}
	c.SendText(text)
	for _, a := range attachments {
		c.SendBinary(a)
	}
}

// nextPacket returns the next packet as text.
func (c *Client) nextPacket() (text string, attachments [][]byte) {
	c.t.Helper()
	return c.complete(c.Conn.Next())
}

// complete returns the packet that m begins, after reading its attachments.
func (c *Client) complete(m engineiotest.Message) (text string, attachments [][]byte) {
	c.t.Helper()
	if m.Binary != c.msgpack {
		c.t.Fatalf("socketiotest: got %.200q, binary: %v, want a packet", m.Data, m.Binary)
	}
	if c.msgpack {
		return c.unpack(m.Data)
	}
	text = string(m.Data)
	if !strings.HasPrefix(text, "5") && !strings.HasPrefix(text, "6") {
		return text, nil
	}
	count, _, _ := strings.Cut(text[1:], "-")
	n, err := strconv.Atoi(count)
	if err != nil {
		c.t.Fatalf("socketiotest: %.200q has no count of attachments", text)
	}
	for range n {
		m := c.Conn.Next()
		if !m.Binary {
			c.t.Fatalf("socketiotest: got %.200q, want an attachment", m.Data)
		}
		attachments = append(attachments, m.Data)
	}
	return text, attachments
}

// pack returns a packet as MessagePack.
func (c *Client) pack(text string, attachments [][]byte) []byte {
	c.t.Helper()
	d := packet.Decoder{MaxAttachments: max(1, len(attachments)), MaxArguments: -1}
	p, _, err := d.Text([]byte(text))
	for _, a := range attachments {
		if err == nil {
			p, _, err = d.Binary(a)
		}
	}
	if err != nil || p.Excess != nil {
		c.t.Fatalf("socketiotest: %.200q: %v, %v", text, err, p.Excess)
	}
	msg, err := msgpack.Append(nil, &p)
	if err != nil {
		c.t.Fatal(err)
	}
	return msg
}

// unpack returns a packet that is MessagePack as text.
func (c *Client) unpack(msg []byte) (text string, attachments [][]byte) {
	c.t.Helper()
	p, err := msgpack.Decoder{MaxAttachments: len(msg), MaxArguments: -1}.Decode(msg)
	if err != nil || p.Excess != nil {
		c.t.Fatalf("socketiotest: %.200q: %v, %v", msg, err, p.Excess)
	}
	return string(packet.AppendText(nil, &p)), p.Attachments
}
