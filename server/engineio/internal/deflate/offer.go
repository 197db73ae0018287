package deflate

import (
	"errors"
	"regexp"
	"strings"
)

// ErrOffer is the error for a header that a server must not accept.
var ErrOffer = errors.New("invalid or unacceptable Sec-WebSocket-Extensions header")

const extension = "permessage-deflate"

// Negotiate answers a client's Sec-WebSocket-Extensions header, whose lines it is given,
// with the value of the server's; "" if the client offers nothing that we can accept. An
// error means that the handshake must be refused: the header is not well-formed (RFC
// 6455, section 9.1), or an offer of this extension has an unknown, repeated or invalid
// parameter, for which Node refuses too.
//
// The library for frames has a parser, wsflate. It does not see repeated parameters, and
// declines what Swift's clients offer, server_max_window_bits=15.
func Negotiate(header []string) (string, error) {
	if header == nil {
		return "", nil
	}
	answer := ""
	// Neither "," nor ";" can be in a quoted string: its content is a token.
	for offer := range strings.SplitSeq(strings.Join(header, ","), ",") {
		params := strings.Split(offer, ";")
		for i := range params {
			params[i] = strings.Trim(params[i], " \t")
		}
		name := params[0]
		if !token.MatchString(name) {
			return "", ErrOffer
		}
		accepted, err := accept(params[1:], name == extension)
		if err != nil {
			return "", err
		}
		if name == extension && answer == "" {
			answer = accepted
		}
	}
	return answer, nil
}

// accept returns the answer to an offer with these parameters, in Node's order; "" to
// decline it. It checks the names and values of the parameters if they are ours.
func accept(params []string, ours bool) (answer string, err error) {
	answer = extension
	seen := make(map[string]bool)
	decline := false
	for _, p := range params {
		name, value, hasValue := strings.Cut(p, "=")
		if hasValue {
			value = unquote(value)
		}
		if !token.MatchString(name) || hasValue && !token.MatchString(value) {
			return "", ErrOffer
		}
		if !ours {
			continue
		}
		valid := windowBits.MatchString(value)
		switch name {
		case serverForgets, clientForgets:
			valid = !hasValue
			answer += "; " + name
		case "server_max_window_bits":
			answer += "; " + name + "=" + value
			// A compressed message is the same for all clients, and may need all 15.
			decline = value != "15"
		case "client_max_window_bits":
			if valid {
				answer += "; " + name + "=" + value
			} else {
				valid = !hasValue
			}
		default:
			valid = false
		}
		if !valid || seen[name] {
			return "", ErrOffer
		}
		seen[name] = true
	}
	if decline {
		return "", nil
	}
	for _, name := range []string{serverForgets, clientForgets} {
		if !seen[name] {
			answer += "; " + name
		}
	}
	return answer, nil
}

// The parameters by which each side forgets a message before the next (section 7.1.1).
const (
	serverForgets = "server_no_context_takeover"
	clientForgets = "client_no_context_takeover"
)

var (
	token      = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
	quoted     = regexp.MustCompile(`^"(\\?[^"\\])+"$`)
	windowBits = regexp.MustCompile(`^([89]|1[0-5])$`)
)

// unquote returns the content of a quoted string, and other values as they are.
func unquote(value string) string {
	if !quoted.MatchString(value) {
		return value
	}
	return strings.ReplaceAll(value[1:len(value)-1], `\`, "")
}
