package engineio

import "github.com/gobwas/ws"

// closeCode is the status of a WebSocket close frame (RFC 6455, section 7.4).
type closeCode ws.StatusCode

const (
	// closeNormal sends no status at all, as Node does.
	closeNormal   closeCode = 0
	closeProtocol           = closeCode(ws.StatusProtocolError)
	closeNotUTF8            = closeCode(ws.StatusInvalidFramePayloadData)
	closePolicy             = closeCode(ws.StatusPolicyViolation)
	closeTooLarge           = closeCode(ws.StatusMessageTooBig)
)

// appendControl appends a control frame, whose payload is at most 125 bytes.
func appendControl(dst []byte, op ws.OpCode, payload []byte) []byte {
	return append(append(dst, 0x80|byte(op), byte(len(payload))), payload...)
}

// parseClose returns the status that the answer to a close frame has.
func parseClose(payload []byte) (closeCode, *violation) {
	switch {
	case len(payload) == 0:
		return closeNormal, nil
	case len(payload) == 1:
		return 0, &violation{closeProtocol, ws.ErrProtocolStatusCodeNotInUse}
	}
	code := closeCode(payload[0])<<8 | closeCode(payload[1])
	if code >= 5000 { // beyond every range of RFC 6455, section 7.4.2
		return 0, &violation{closeProtocol, ws.ErrProtocolStatusCodeNotInUse}
	}
	switch err := ws.CheckCloseFrameData(ws.StatusCode(code), string(payload[2:])); err {
	case nil:
		return code, nil
	case ws.ErrProtocolInvalidUTF8:
		return 0, &violation{closeNotUTF8, err}
	default:
		return 0, &violation{closeProtocol, err}
	}
}

func appendClose(dst []byte, code closeCode) []byte {
	if code == closeNormal {
		return appendControl(dst, ws.OpClose, nil)
	}
	return appendControl(dst, ws.OpClose, []byte{byte(code >> 8), byte(code)})
}
