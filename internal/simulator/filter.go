package simulator

import (
	"fmt"
	"slices"
	"strings"
)

// filter is a parsed $filter: whether an alert passes.
type filter interface{ pass(f *face) bool }

type both struct{ left, right filter }
type either struct{ left, right filter }
type negated struct{ inner filter }

func (e both) pass(f *face) bool    { return e.left.pass(f) && e.right.pass(f) }
func (e either) pass(f *face) bool  { return e.left.pass(f) || e.right.pass(f) }
func (e negated) pass(f *face) bool { return !e.inner.pass(f) }

// timeTest compares createdDateTime or lastUpdateDateTime.
type timeTest struct {
	property string
	op       string // eq ne gt ge lt le
	value    ticks
}

func (e timeTest) pass(f *face) bool {
	have := f.stamp
	if e.property == "createdDateTime" {
		have = f.created
	}
	switch e.op {
	case "eq":
		return have == e.value
	case "ne":
		return have != e.value
	case "gt":
		return have > e.value
	case "ge":
		return have >= e.value
	case "lt":
		return have < e.value
	}
	return have <= e.value
}

// textTest looks for a property's value in a list; null is a value too.
type textTest struct {
	property string
	values   []string
	null     bool // null is among the values
}

func (e textTest) pass(f *face) bool {
	have := f.traits.get(e.property)
	if have == "" {
		return e.null
	}
	return slices.ContainsFunc(e.values, func(v string) bool { return strings.EqualFold(v, have) })
}

// filterable are the properties that alerts_v2 documents for $filter, with
// the values of those that are enumerations.
var filterable = map[string][]string{
	"createdDateTime": nil, "lastUpdateDateTime": nil, "assignedTo": nil,
	"severity":       {"unknown", "informational", "low", "medium", "high", "unknownFutureValue"},
	"status":         {"unknown", "new", "inProgress", "resolved", "unknownFutureValue"},
	"classification": {"unknown", "falsePositive", "truePositive", "informationalExpectedActivity", "unknownFutureValue"},
	"determination": {"unknown", "apt", "malware", "securityPersonnel", "securityTesting", "unwantedSoftware", "other",
		"multiStagedAttack", "compromisedAccount", "phishing", "maliciousUserActivity", "notMalicious", "notEnoughDataToValidate",
		"confirmedActivity", "lineOfBusinessApplication", "unknownFutureValue"},
	"serviceSource": {"unknown", "microsoftDefenderForEndpoint", "microsoftDefenderForIdentity", "microsoftDefenderForCloudApps",
		"microsoftDefenderForOffice365", "microsoft365Defender", "azureAdIdentityProtection", "microsoftAppGovernance",
		"dataLossPrevention", "unknownFutureValue", "microsoftDefenderForCloud", "microsoftSentinel",
		"microsoftInsiderRiskManagement", "microsoftThreatIntelligence", "microsoftSecurityForAI"},
}

// maxDepth bounds nesting, so that no query can exhaust the stack.
const maxDepth = 100

// parseFilter reads the part of OData's filter language that alerts_v2
// needs: comparisons, in, not, and, or, parentheses (OData 4.01 URL
// conventions §5.1.1).
func parseFilter(text string) (filter, error) {
	tokens, err := lex(text)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	f, err := p.disjunction(0)
	if err != nil {
		return nil, err
	}
	if rest := p.next(); rest != "" {
		return nil, fmt.Errorf("syntax error at %q", rest)
	}
	return f, nil
}

// lex splits into words, quoted texts (with their quotes), parentheses and commas.
func lex(text string) ([]string, error) {
	var tokens []string
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == ' ' || c == '\t':
			i++
		case c == '(' || c == ')' || c == ',':
			tokens = append(tokens, text[i:i+1])
			i++
		case c == '\'':
			end := i + 1
			for ; end < len(text); end++ {
				if text[end] != '\'' {
					continue
				}
				if end+1 < len(text) && text[end+1] == '\'' {
					end++
					continue
				}
				break
			}
			if end >= len(text) {
				return nil, fmt.Errorf("there is an unterminated string literal at position %d", i)
			}
			tokens = append(tokens, text[i:end+1])
			i = end + 1
		default:
			end := i
			for end < len(text) && !strings.ContainsRune(" \t(),'", rune(text[end])) {
				end++
			}
			tokens = append(tokens, text[i:end])
			i = end
		}
	}
	return tokens, nil
}

type parser struct {
	tokens []string
	at     int
}

func (p *parser) peek() string {
	if p.at < len(p.tokens) {
		return p.tokens[p.at]
	}
	return ""
}

func (p *parser) next() string {
	token := p.peek()
	p.at++
	return token
}

func (p *parser) expect(want string) error {
	if got := p.next(); got != want {
		return fmt.Errorf("syntax error: %q expected, %q found", want, got)
	}
	return nil
}

func (p *parser) disjunction(depth int) (filter, error) {
	left, err := p.conjunction(depth)
	for err == nil && p.peek() == "or" {
		p.next()
		var right filter
		right, err = p.conjunction(depth)
		left = either{left, right}
	}
	return left, err
}

func (p *parser) conjunction(depth int) (filter, error) {
	left, err := p.factor(depth)
	for err == nil && p.peek() == "and" {
		p.next()
		var right filter
		right, err = p.factor(depth)
		left = both{left, right}
	}
	return left, err
}

func (p *parser) factor(depth int) (filter, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("the node count limit of '%d' has been exceeded", maxDepth)
	}
	switch p.peek() {
	case "not":
		p.next()
		inner, err := p.factor(depth + 1)
		return negated{inner}, err
	case "(":
		p.next()
		inner, err := p.disjunction(depth + 1)
		if err != nil {
			return nil, err
		}
		return inner, p.expect(")")
	}
	return p.comparison()
}

func (p *parser) comparison() (filter, error) {
	property := p.next()
	members, ok := filterable[property]
	if !ok {
		return nil, fmt.Errorf("could not find a property named '%s' that can be filtered by on type 'microsoft.graph.security.alert'", property)
	}
	op := p.next()
	if strings.HasSuffix(property, "DateTime") {
		return p.timeComparison(property, op)
	}
	test := textTest{property: property}
	switch op {
	case "eq", "ne":
		if err := test.add(p.next(), members); err != nil {
			return nil, err
		}
		if op == "ne" {
			return negated{test}, nil
		}
		return test, nil
	case "in":
		return p.list(test, members)
	}
	return nil, fmt.Errorf("operator '%s' is not supported for property '%s'", op, property)
}

func (p *parser) timeComparison(property, op string) (filter, error) {
	if !slices.Contains([]string{"eq", "ne", "gt", "ge", "lt", "le"}, op) {
		return nil, fmt.Errorf("operator '%s' is not supported for property '%s'", op, property)
	}
	literal := p.next()
	if strings.HasPrefix(literal, "'") {
		return nil, fmt.Errorf("a binary operator with incompatible types was detected: found operand types 'Edm.DateTimeOffset' and 'Edm.String' for operator '%s'", op)
	}
	value, err := parseTicks(literal)
	return timeTest{property, op, value}, err
}

func (p *parser) list(test textTest, members []string) (filter, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	for {
		if err := test.add(p.next(), members); err != nil {
			return nil, err
		}
		if p.peek() != "," {
			return test, p.expect(")")
		}
		p.next()
	}
}

// add takes a literal into the list of values looked for.
func (e *textTest) add(literal string, members []string) error {
	if literal == "null" {
		e.null = true
		return nil
	}
	if len(literal) < 2 || literal[0] != '\'' {
		return fmt.Errorf("property '%s' must be compared with a quoted value, not with %q", e.property, literal)
	}
	value := strings.ReplaceAll(literal[1:len(literal)-1], "''", "'")
	if members != nil && !slices.ContainsFunc(members, func(m string) bool { return strings.EqualFold(m, value) }) {
		return fmt.Errorf("the string '%s' is not a valid enumeration type constant for property '%s'", value, e.property)
	}
	e.values = append(e.values, value)
	return nil
}

// span narrows [from, until) by the conditions on lastUpdateDateTime that
// hold for the whole filter, and returns what is left to test alert by alert
// (nil: nothing).
func span(f filter, from, until *ticks) filter {
	switch e := f.(type) {
	case both:
		left, right := span(e.left, from, until), span(e.right, from, until)
		if left == nil {
			return right
		}
		if right == nil {
			return left
		}
		return both{left, right}
	case timeTest:
		if e.property != "lastUpdateDateTime" || e.op == "ne" {
			return f
		}
		if e.op == "eq" || e.op == "ge" {
			*from = max(*from, e.value)
		}
		if e.op == "gt" {
			*from = max(*from, e.value+1)
		}
		if e.op == "lt" {
			*until = min(*until, e.value)
		}
		if e.op == "eq" || e.op == "le" {
			*until = min(*until, e.value+1)
		}
		return nil
	}
	return f
}
