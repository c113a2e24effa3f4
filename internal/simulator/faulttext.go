package simulator

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseFault reads the short form of a fault, KIND[:VALUE][@TENANT[/ENDPOINT]]:
// "hang@contoso", "status:503@fabrikam/token", "aadsts:50173@adatum",
// "slow:10s". VALUE is the status, the AADSTS code, the bytes (cut, big), the
// delay (hang, slow) or the file (raw). TENANT is all when it is left out or
// "*"; ENDPOINT is token for aadsts and foreign-token, else alerts.
func ParseFault(text string) (Fault, error) {
	what, where, _ := strings.Cut(text, "@")
	kind, value, given := strings.Cut(what, ":")
	tenant, endpoint, _ := strings.Cut(where, "/")
	f := Fault{Kind: Kind(kind), Tenant: tenant, Endpoint: Endpoint(endpoint)}
	if f.Endpoint == "" {
		f.Endpoint = Alerts
		if f.Kind == AADSTS || f.Kind == ForeignToken {
			f.Endpoint = Token
		}
	}
	if !given && f.Kind != AADSTS {
		return f, nil
	}
	var err error
	switch f.Kind {
	case Status, HTML:
		f.Status, err = strconv.Atoi(value)
	case AADSTS:
		f.Code, err = strconv.Atoi(value)
	case Cut, Big:
		f.Bytes, err = strconv.ParseInt(value, 10, 64)
	case Hang, Slow:
		var delay time.Duration
		delay, err = time.ParseDuration(value)
		f.Delay = Duration(delay)
	case Raw:
		f.File = value
	default:
		err = fmt.Errorf("%s takes no value", kind)
	}
	if err != nil {
		return Fault{}, fmt.Errorf("fault %q: %w", text, err)
	}
	return f, nil
}

// String is the fault in words: "status 503 at alerts of contoso".
func (f Fault) String() string {
	words := []string{string(f.Kind)}
	if f.Status != 0 {
		words = append(words, strconv.Itoa(f.Status))
	}
	if f.Code != 0 {
		words = append(words, strconv.Itoa(f.Code))
	}
	words = append(words, "at", string(f.Endpoint), "of", or(f.Tenant, "all tenants"))
	if f.Count > 0 {
		words = append(words, fmt.Sprintf("(%d times)", f.Count))
	}
	return strings.Join(words, " ")
}
