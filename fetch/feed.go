package fetch

import (
	"net/url"
	"strings"
)

// Feed is one Microsoft API as a stream of alerts: where to ask and which
// members of a row carry its identity and its version.
type Feed struct {
	// Name is what configuration and records call the feed.
	Name string
	// Path is appended to the service root (Window.BaseURL).
	Path string
	// ID and Time name the row members holding the id and the time of the
	// last update; Time is also what the API filters and orders by.
	ID, Time string
	// PageSize is the largest $top asked for.
	PageSize int
	// Permission is the least permission that lets an app or a user read the feed.
	Permission string
	// SeverityFilter and SourceFilter name the members that
	// Window.MinSeverity and Window.ServiceSources are compared with.
	SeverityFilter, SourceFilter string
}

// alerts is GET /security/alerts_v2: alerts of all Defender products.
// Filterable members and permission: Microsoft Graph v1.0 reference, "List
// alerts_v2". The page size is the $top limit of "Microsoft Graph security
// API constraints"; the reference page itself names none.
var alerts = Feed{
	Name:           "alerts",
	Path:           "/v1.0/security/alerts_v2",
	ID:             "id",
	Time:           "lastUpdateDateTime",
	PageSize:       1000,
	Permission:     "SecurityAlert.Read.All",
	SeverityFilter: "severity",
	SourceFilter:   "serviceSource",
}

// Lookup returns the feed of that name. The Feed is the caller's own copy.
func Lookup(name string) (*Feed, bool) {
	if name != alerts.Name {
		return nil, false
	}
	feed := alerts
	return &feed, true
}

// sovereign lists the Graph roots outside the public cloud (Microsoft Graph
// docs, "National cloud deployments").
var sovereign = map[string]bool{
	"graph.microsoft.us":              true,
	"dod-graph.microsoft.us":          true,
	"microsoftgraph.chinacloudapi.cn": true,
}

// Scope returns the OAuth scope of the Graph behind a service root: that of
// the sovereign host where graphURL names one of Microsoft's, the public
// cloud's for every other host (proxies and look-alikes stand for it).
func Scope(graphURL string) string {
	host := "graph.microsoft.com"
	if u, err := url.Parse(graphURL); err == nil {
		if h := strings.ToLower(u.Hostname()); sovereign[h] {
			host = h
		}
	}
	return "https://" + host + "/.default"
}
