package record

import "strings"

// An alert that says it is of another tenant than the one that was asked must
// not bear the wrong customer's name: its record has no tenant_id and no
// tenant_name, and what the alert says as foreign_tenant_id. It goes out all
// the same, since Microsoft showed it to this tenant's sign-in.

// foreign is the tenant that the alert on the tape says it is of, where that is
// not the one asked for; "" where it is, or where either does not say.
func (e *event) foreign(asked string) string {
	if asked == "" || len(e.nodes) == 0 || e.nodes[0].kind != object {
		return ""
	}
	for m, end := int32(1), e.nodes[0].next; m < end; m = e.nodes[m].next {
		n := &e.nodes[m]
		if n.kind != text || string(e.memberName(n)) != "tenantId" {
			continue
		}
		says := strings.TrimSpace(string(e.decode(e.text(n), n.flags)))
		if says != "" && !strings.EqualFold(says, asked) {
			return says
		}
	}
	return ""
}

// putIdentity appends whose alert it is.
func (f *Flat) putIdentity(e *event, foreign string) {
	if foreign == "" {
		e.putShared(f.own)
		return
	}
	e.put("feed", shown(f.id.Feed))
	e.put("foreign_tenant_id", shown(foreign))
}
