package simulator

import (
	"fmt"
	"regexp"
	"strconv"
)

// pair is one member of a JSON object.
type pair struct {
	key   string
	value any // nil, string, int, bool, ticks, []string, object, []object
}

// object is a JSON object whose members keep their order, as in Microsoft's
// documented samples.
type object []pair

func (o object) appendTo(b []byte) []byte {
	b = append(b, '{')
	for i, p := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, p.key), ':')
		b = appendValue(b, p.value)
	}
	return append(b, '}')
}

func appendValue(b []byte, value any) []byte {
	switch v := value.(type) {
	case nil:
		return append(b, "null"...)
	case string:
		return appendText(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case bool:
		return strconv.AppendBool(b, v)
	case ticks:
		return appendText(b, v.String())
	case object:
		return v.appendTo(b)
	case []string:
		return appendList(b, v, appendText)
	case []object:
		return appendList(b, v, func(b []byte, o object) []byte { return o.appendTo(b) })
	}
	panic(fmt.Sprintf("simulator: no JSON for a %T", value)) // the scenarios' tests meet every type
}

func appendList[T any](b []byte, list []T, one func([]byte, T) []byte) []byte {
	b = append(b, '[')
	for i, item := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = one(b, item)
	}
	return append(b, ']')
}

// appendText writes a JSON string; the text must be valid UTF-8.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	done := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[done:i]...)
		done = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = fmt.Appendf(b, `\u%04x`, c)
		}
	}
	return append(append(b, s[done:]...), '"')
}

// evolvable finds the enumerations that have members behind
// Prefer: include-unknown-enum-members.
var evolvable = regexp.MustCompile(`("(?:serviceSource|detectionSource|remediationStatus)"\s*:\s*")(\w+)(")`)

// newerMembers are those members, as far as the scenarios use them or
// serviceSource has them.
var newerMembers = map[string]bool{
	"microsoftDefenderForCloud": true, "microsoftSentinel": true, "microsoftInsiderRiskManagement": true,
	"microsoftThreatIntelligence": true, "microsoftSecurityForAI": true, // serviceSource
	"microsoftDefenderForContainers": true, "scheduledAlerts": true, // detectionSource
	"active": true, "pendingApproval": true, "unremediated": true, "partiallyRemediated": true, // remediationStatus
}

// hideNewer is an alert as a reader gets it who did not ask for unknown enum
// members; nil when that makes no difference.
func hideNewer(body []byte) []byte {
	found := false
	hidden := evolvable.ReplaceAllFunc(body, func(member []byte) []byte {
		parts := evolvable.FindSubmatch(member)
		if !newerMembers[string(parts[2])] {
			return member
		}
		found = true
		return fmt.Appendf(nil, "%sunknownFutureValue%s", parts[1], parts[3])
	})
	if !found {
		return nil
	}
	return hidden
}
