package wsframe

import "github.com/gobwas/ws"

// CloseCode is the status of a close frame (section 7.4).
type CloseCode ws.StatusCode

// The statuses that the server sends by itself.
const (
	CloseNormal   CloseCode = 0 // a close frame without a status, as Node sends it
	CloseProtocol           = CloseCode(ws.StatusProtocolError)
	CloseNotUTF8            = CloseCode(ws.StatusInvalidFramePayloadData)
	ClosePolicy             = CloseCode(ws.StatusPolicyViolation)
	CloseTooLarge           = CloseCode(ws.StatusMessageTooBig)
	CloseInternal           = CloseCode(ws.StatusInternalServerError)
)

// AppendControl appends a control frame. The payload has at most 125 bytes.
func AppendControl(dst []byte, op ws.OpCode, payload []byte) []byte {
	return append(append(dst, 0x80|byte(op), byte(len(payload))), payload...)
}

// AppendClose appends a close frame with the status.
func AppendClose(dst []byte, code CloseCode) []byte {
	if code == CloseNormal {
		return AppendControl(dst, ws.OpClose, nil)
	}
	return AppendControl(dst, ws.OpClose, []byte{byte(code >> 8), byte(code)})
}

// ParseClose checks the payload of a client's close frame and returns the status
// that the answer has: the client's own.
func ParseClose(payload []byte) (CloseCode, *Violation) {
	switch {
	case len(payload) == 0:
		return CloseNormal, nil
	case len(payload) == 1:
		return 0, &Violation{CloseProtocol, ws.ErrProtocolStatusCodeNotInUse}
	}
	code := CloseCode(payload[0])<<8 | CloseCode(payload[1])
	if code >= 5000 { // beyond every range of section 7.4.2
		return 0, &Violation{CloseProtocol, ws.ErrProtocolStatusCodeNotInUse}
	}
	switch err := ws.CheckCloseFrameData(ws.StatusCode(code), string(payload[2:])); err {
	case nil:
		return code, nil
	case ws.ErrProtocolInvalidUTF8:
		return 0, &Violation{CloseNotUTF8, err}
	default:
		return 0, &Violation{CloseProtocol, err}
	}
}
