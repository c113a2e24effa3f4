package fetch

import (
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// longestWait caps Retry-After: an absurd one must not silence a tenant.
const longestWait = time.Hour

// retryAfter reads the header of that name in both its forms (RFC 9110,
// section 10.2.3); a date is relative to now, the Date of the same answer.
// 0 means absent, unreadable or past.
func retryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if seconds, err := strconv.ParseFloat(value, 64); err == nil || isRange(err) {
		if !(seconds > 0) {
			return 0
		}
		if seconds >= longestWait.Seconds() {
			return longestWait
		}
		return time.Duration(math.Ceil(seconds)) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil || !at.After(now) {
		return 0
	}
	return min(at.Sub(now), longestWait)
}

func isRange(err error) bool {
	e, ok := err.(*strconv.NumError)
	return ok && e.Err == strconv.ErrRange
}

// clock returns the service's time of an answer, or the host's and false.
func clock(h http.Header, host time.Time) (time.Time, bool) {
	if at, err := http.ParseTime(h.Get("Date")); err == nil {
		return at.UTC(), true
	}
	return host.UTC(), false
}

// isPartial reports whether an answer says that some source is missing from
// it: 206, or a Warning with code 199 (Microsoft Graph security API docs; the
// header's form is RFC 7234, section 5.5).
func isPartial(status int, h http.Header) bool {
	if status == http.StatusPartialContent {
		return true
	}
	for _, line := range h.Values("Warning") {
		for warning := range strings.SplitSeq(line, ",") {
			if code, _, _ := strings.Cut(strings.TrimSpace(warning), " "); code == "199" {
				return true
			}
		}
	}
	return false
}

// attribute matches error and its description in WWW-Authenticate, quoted;
// Microsoft spells the latter in two ways and leaves other values unquoted.
var attribute = regexp.MustCompile(`(?i)(?:^|[\s,])(error|error_?description)\s*=\s*"([^"]*)"`)

// challenge returns what WWW-Authenticate gives as reason, "" if nothing.
func challenge(h http.Header) string {
	var code, description string
	for _, line := range h.Values("WWW-Authenticate") {
		for _, m := range attribute.FindAllStringSubmatch(line, -1) {
			if strings.EqualFold(m[1], "error") {
				code = m[2]
			} else {
				description = m[2]
			}
		}
	}
	if code == "" || description == "" {
		return code + description
	}
	return code + ": " + description
}
