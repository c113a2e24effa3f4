package simulator

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// scene is one tenant's part in one alert: its devices, accounts and
// addresses, chosen by chance. Addresses are from the ranges and names kept
// for documentation (RFC 5737, RFC 2606).
type scene struct {
	random   *rand.Rand
	tenantID string
	domain   string // contoso.onmicrosoft.com
	company  string // contoso
	created  ticks
	device   string // mdeDeviceId of the device the alert is about
	account  string // account name of the user the alert is about
	user     object // the same user in full
}

func newScene(r *recipe, random *rand.Rand) *scene {
	company, _, _ := strings.Cut(r.domain, ".")
	s := &scene{random: random, tenantID: r.tenantID, domain: r.domain, company: company, created: r.created}
	s.device = s.hex(20)
	s.account = pick(s, "finance.desk", "hr.frontoffice", "warehouse.scan", "svc-backup", "it.helpdesk", "sales.north",
		"reception", "lab.bench2", "payroll.admin", "kiosk07", "legal.archive", "svc-print")
	s.user = s.newUser()
	return s
}

func (s *scene) hex(n int) string {
	b := make([]byte, 0, n+8)
	for len(b) < n {
		v := s.random.Uint64()
		b = append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24), byte(v>>32), byte(v>>40), byte(v>>48), byte(v>>56))
	}
	return hex.EncodeToString(b[:n])
}

func (s *scene) guid() string {
	h := s.hex(16)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}

func (s *scene) host() string {
	return fmt.Sprintf("%s-%s%03d.%s.example", s.company, pick(s, "wks", "lap", "srv", "dc"), s.random.IntN(400), s.company)
}

func (s *scene) publicIP() string {
	return fmt.Sprintf("%s.%d", pick(s, "192.0.2", "198.51.100", "203.0.113"), 1+s.random.IntN(254))
}

func (s *scene) privateIP() string {
	return fmt.Sprintf("10.%d.%d.%d", s.random.IntN(60), s.random.IntN(255), 1+s.random.IntN(254))
}

func (s *scene) ago(seconds int) ticks {
	return s.created - ticks(s.random.IntN(seconds*ticksPerSecond)) - ticksPerSecond
}

// evidence is what all kinds have in common, in the order of Microsoft's
// sample, with the kind's own members between.
func (s *scene) evidence(kind, verdict string, roles []string, own ...pair) object {
	o := object{
		{"@odata.type", "#microsoft.graph.security." + kind + "Evidence"},
		{"createdDateTime", s.created}, {"verdict", verdict},
		{"remediationStatus", pick(s, "none", "none", "remediated", "prevented", "blocked")}, {"remediationStatusDetails", nil},
	}
	return append(append(o, own...), pair{"roles", roles}, pair{"detailedRoles", []string{}}, pair{"tags", []string{}})
}

func (s *scene) deviceEvidence(os string) object {
	host := s.host()
	o := s.evidence("device", "unknown", []string{"compromised"},
		pair{"firstSeenDateTime", s.ago(200 * 86400)}, pair{"mdeDeviceId", s.device}, pair{"azureAdDeviceId", s.guid()},
		pair{"deviceDnsName", host}, pair{"hostName", strings.SplitN(host, ".", 2)[0]}, pair{"ntDomain", nil}, pair{"dnsDomain", s.company + ".example"},
		pair{"osPlatform", os}, pair{"osBuild", 19045 + s.random.IntN(7000)}, pair{"version", pick(s, "22H2", "23H2", "24H2", "Other")},
		pair{"healthStatus", "active"}, pair{"riskScore", pick(s, "none", "low", "medium", "high")},
		pair{"rbacGroupId", 70 + s.random.IntN(9)}, pair{"rbacGroupName", pick(s, "UnassignedGroup", "Servers", "Workstations")},
		pair{"onboardingStatus", "onboarded"}, pair{"defenderAvStatus", pick(s, "updated", "notUpdated", "unknown")},
		pair{"lastIpAddress", s.privateIP()}, pair{"lastExternalIpAddress", s.publicIP()},
		pair{"ipInterfaces", []string{s.privateIP(), "fe80::" + s.hex(2), "127.0.0.1"}},
		pair{"loggedOnUsers", []object{{{"accountName", s.account}, {"domainName", strings.ToUpper(s.company)}}}},
		pair{"resourceAccessEvents", []object{}}, pair{"vmMetadata", s.vm(os)},
	)
	return o.set("detailedRoles", []string{"PrimaryDevice"}).set("tags", pick(s, []string{}, []string{"Tier 1"}, []string{"Finance", "Laptop"}))
}

func (s *scene) vm(os string) any {
	if !strings.Contains(os, "Server") && os != "Linux" {
		return nil
	}
	subscription := s.guid()
	return object{
		{"vmId", s.guid()}, {"cloudProvider", "azure"},
		{"resourceId", "/subscriptions/" + subscription + "/resourceGroups/" + s.company + "-prod/providers/Microsoft.Compute/virtualMachines/" + s.company + "-vm"},
		{"subscriptionId", subscription},
	}
}

// set replaces a member's value.
func (o object) set(key string, value any) object {
	if i := slices.IndexFunc(o, func(p pair) bool { return p.key == key }); i >= 0 {
		o[i].value = value
	}
	return o
}

func (s *scene) file(name, path string, publisher any) object {
	return object{
		{"sha1", s.hex(20)}, {"sha256", s.hex(32)}, {"md5", s.hex(16)}, {"sha256Ac", nil}, {"fileName", name}, {"filePath", path},
		{"fileSize", 2048 + s.random.IntN(9_000_000)}, {"filePublisher", publisher}, {"signer", publisher}, {"issuer", nil},
	}
}

func (s *scene) fileEvidence(name, path string) object {
	return s.evidence("file", "malicious", []string{"suspicious"},
		pair{"detectionStatus", pick(s, "detected", "prevented", "blocked")}, pair{"mdeDeviceId", s.device}, pair{"fileDetails", s.file(name, path, nil)})
}

func (s *scene) newUser() object {
	return object{
		{"accountName", s.account}, {"domainName", strings.ToUpper(s.company)}, {"userSid", s.sid()},
		{"azureAdUserId", s.guid()}, {"userPrincipalName", s.account + "@" + s.domain}, {"displayName", s.account}, {"activeDirectoryObjectGuid", nil},
	}
}

func (s *scene) sid() string {
	return fmt.Sprintf("S-1-5-21-%d-%d-%d-%d", s.random.Uint32(), s.random.Uint32(), s.random.Uint32(), 1100+s.random.IntN(9000))
}

func (s *scene) userEvidence(roles ...string) object {
	return s.evidence("user", "suspicious", roles, pair{"stream", nil}, pair{"userAccount", s.user})
}

// processEvidence is a process and its parent.
func (s *scene) processEvidence(name, path, commandLine, parent, parentPath string) object {
	started := s.ago(900)
	return s.evidence("process", "suspicious", []string{},
		pair{"processId", 1000 + s.random.IntN(30000)}, pair{"parentProcessId", 400 + s.random.IntN(9000)},
		pair{"processCommandLine", commandLine}, pair{"processCreationDateTime", started},
		pair{"parentProcessCreationDateTime", started - ticks(s.random.IntN(3600*ticksPerSecond))},
		pair{"detectionStatus", "detected"}, pair{"mdeDeviceId", s.device},
		pair{"imageFile", s.file(name, path, "Microsoft Corporation")},
		pair{"parentProcessImageFile", s.file(parent, parentPath, "Microsoft Corporation")},
		pair{"userAccount", s.user})
}

func (s *scene) ipEvidence(address string, roles ...string) object {
	return s.evidence("ip", "suspicious", roles, pair{"ipAddress", address}, pair{"countryLetterCode", pick(s, "NL", "US", "BR", "VN")},
		pair{"location", object{{"city", nil}, {"countryName", nil}, {"latitude", nil}, {"longitude", nil}, {"state", nil}}}, pair{"stream", nil})
}

func (s *scene) urlEvidence(url string) object {
	return s.evidence("url", "malicious", []string{}, pair{"url", url})
}

func (s *scene) registryKeyEvidence(key string) object {
	return s.evidence("registryKey", "unknown", []string{}, pair{"registryKey", key}, pair{"registryHive", "HKEY_LOCAL_MACHINE"})
}

func (s *scene) registryValueEvidence(key, name, value string) object {
	return s.evidence("registryValue", "suspicious", []string{}, pair{"registryKey", key}, pair{"registryHive", "HKEY_LOCAL_MACHINE"},
		pair{"registryValue", value}, pair{"registryValueName", name}, pair{"registryValueType", "String"}, pair{"mdeDeviceId", s.device})
}

func (s *scene) mailboxEvidence() object {
	return s.evidence("mailbox", "unknown", []string{}, pair{"primaryAddress", s.account + "@" + s.domain}, pair{"displayName", s.account},
		pair{"upn", s.account + "@" + s.domain}, pair{"userAccount", s.user})
}

func (s *scene) messageEvidence(subject, url string) object {
	from := object{{"emailAddress", "billing@supplier-portal.example"}, {"displayName", "Billing"}, {"domainName", "supplier-portal.example"}}
	return s.evidence("analyzedMessage", "malicious", []string{},
		pair{"networkMessageId", s.guid()}, pair{"internetMessageId", "<" + s.hex(12) + "@mail.supplier-portal.example>"}, pair{"subject", subject},
		pair{"language", "en"}, pair{"senderIp", s.publicIP()}, pair{"recipientEmailAddress", s.account + "@" + s.domain},
		pair{"antiSpamDirection", "Inbound"}, pair{"deliveryAction", pick(s, "Delivered", "DeliveredAsSpam", "Blocked")},
		pair{"deliveryLocation", pick(s, "Inbox/folder", "JunkFolder", "Quarantine")}, pair{"urn", "urn:MailEntity:" + s.hex(16)},
		pair{"threats", []string{"ZapPhish", "HighConfPhish"}}, pair{"threatDetectionMethods", []string{"UrlReputation", "FingerPrintMatching"}},
		pair{"urls", []string{url}}, pair{"urlCount", 1}, pair{"attachmentsCount", s.random.IntN(3)}, pair{"receivedDateTime", s.ago(7200)},
		pair{"p1Sender", from}, pair{"p2Sender", from})
}

func (s *scene) mailClusterEvidence() object {
	return s.evidence("mailCluster", "malicious", []string{}, pair{"clusterBy", "Subject;P2SenderDomain;ContentType"}, pair{"clusterByValue", s.hex(12)},
		pair{"emailCount", 1 + s.random.IntN(300)}, pair{"urn", "urn:MailCluster:" + s.hex(16)},
		pair{"query", "(Subject:\"Overdue invoice\") AND (P2SenderDomain:\"supplier-portal.example\")"},
		pair{"networkMessageIds", []string{s.guid(), s.guid(), s.guid()}})
}

func (s *scene) cloudApplicationEvidence(name string) object {
	return s.evidence("cloudApplication", "unknown", []string{}, pair{"appId", 10000 + s.random.IntN(30000)}, pair{"displayName", name},
		pair{"instanceId", 0}, pair{"instanceName", name}, pair{"saasAppId", 10000 + s.random.IntN(30000)}, pair{"stream", nil})
}

func (s *scene) cloudLogonSessionEvidence() object {
	return s.evidence("cloudLogonSession", "suspicious", []string{}, pair{"account", s.userEvidence()}, pair{"browser", "Edge"},
		pair{"deviceName", nil}, pair{"operatingSystem", "Windows10"}, pair{"previousLogonDateTime", s.ago(90000)}, pair{"protocol", "OAuth2"},
		pair{"sessionId", s.guid()}, pair{"startUtcDateTime", s.ago(3600)}, pair{"userAgent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"})
}

func (s *scene) cloudLogonRequestEvidence() object {
	return s.evidence("cloudLogonRequest", "suspicious", []string{}, pair{"requestId", s.guid()})
}
