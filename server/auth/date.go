package auth

import (
	"encoding/json"
	"math"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// maxSeconds is the last second of the year 9999. Later dates are as far away,
// and time.Time can add to this one without an overflow.
const maxSeconds = 253402300799

// parseDate reads a NumericDate (RFC 7519 section 2). As in jsonwebtoken, it must
// be a number if it is there, and may be any number: 1e300 is far in the
// future, and -1e300 long ago. golang-jwt would take null for no claim and "1" for
// a number, and it converts floats to int64 without looking at their size.
func parseDate(raw json.RawMessage) (*jwt.NumericDate, error) {
	if len(raw) == 0 || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return nil, errDate
	}
	// The text is valid JSON, so the only error is that the number is too large,
	// which makes it infinite.
	seconds, _ := strconv.ParseFloat(string(raw), 64)
	whole, fraction := math.Modf(min(max(seconds, 0), maxSeconds))
	return &jwt.NumericDate{Time: time.Unix(int64(whole), int64(fraction*1e9))}, nil
}
