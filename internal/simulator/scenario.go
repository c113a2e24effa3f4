package simulator

// scenario is one kind of alert: what the service would say, and who and what
// was involved. The texts are in our words, in the manner of Defender's.
type scenario struct {
	title, description, actions string
	category                    string
	techniques                  []string
	severities                  []string
	service, detection, product string
	prefix                      string // of the alert's id
	actor, threat, family       string // "" is null
	newer                       bool   // uses enum members behind Prefer
	evidence                    func(s *scene) []object
	details                     func(s *scene) object // customDetails; nil is null
}

const (
	endpoint      = "microsoftDefenderForEndpoint"
	office        = "microsoftDefenderForOffice365"
	identity      = "microsoftDefenderForIdentity"
	system32      = `C:\Windows\System32`
	powershellDir = system32 + `\WindowsPowerShell\v1.0`
)

// What responders are told, by the kind of thing that is in danger.
const (
	deviceActions = "Validate the alert and determine scope\n\t- Review the device timeline for suspicious activities before and after the time of the alert, and record related artifacts (files, IPs/URLs).\n\t- Look for the same artifacts on other devices and compare how they got there.\n\t- Submit unknown files for deep analysis and review the resulting behaviour.\n\nContain and mitigate\n\t- Ask the user whether the activity was intended, and isolate the device if it was not.\n\t- Update security intelligence and run a full scan; earlier components may now be found.\n\t- If credentials may have been read, reset the passwords of all accounts that were signed in.\n\t- Block the addresses and URLs involved at the perimeter."
	mailActions   = "Review the message\n\t- Open the message entity page and check sender, authentication results and detection technology.\n\t- Find other recipients of the same campaign and whether any of them followed the link.\n\nContain\n\t- Soft-delete what was delivered, block sender and URL in the tenant allow/block list.\n\t- Reset the sessions and passwords of those who entered credentials, and look for new inbox rules and consents."
	userActions   = "Investigate the account\n\t- Compare the sign-in with the account's usual locations, devices and applications.\n\t- Review what the session did afterwards: consents, mailbox rules, downloads, role changes.\n\nContain\n\t- Confirm the user as compromised or dismiss the risk; revoke sessions, reset the password, require registration of a new factor.\n\t- Ask the user over a channel other than mail."
	cloudActions  = "Investigate the resource\n\t- Review the workload's audit log around the time of the alert and who may deploy to it.\n\t- Compare the running image with the one that was released.\n\nContain\n\t- Stop the workload, rotate the secrets it could read, restrict its outbound traffic, and redeploy from a clean image."
)

var scenarios = []scenario{
	{
		title:       "PowerShell started with an encoded command by an Office document",
		description: "An Office application started PowerShell with a long encoded command line. Documents that do so usually fetch a further stage from the Internet; the decoded command opens a web request and runs what it gets in memory.",
		actions:     deviceActions, category: "Execution", techniques: []string{"T1059.001", "T1204.002", "T1027"}, severities: []string{"medium", "high"},
		service: endpoint, detection: "windowsDefenderAtp", product: "Microsoft Defender for Endpoint", prefix: "da",
		evidence: func(s *scene) []object {
			ip, url := s.publicIP(), "https://cdn-update.example/stage/"+s.hex(6)+".txt"
			return []object{
				s.deviceEvidence("Windows11"), s.userEvidence("compromised"),
				s.processEvidence("WINWORD.EXE", `C:\Program Files\Microsoft Office\root\Office16`, `"WINWORD.EXE" /n "C:\Users\`+s.account+`\Downloads\Invoice 4471.docm"`, "explorer.exe", `C:\Windows`),
				s.processEvidence("powershell.exe", powershellDir, `powershell.exe -NoP -W Hidden -Enc `+s.hex(60), "WINWORD.EXE", `C:\Program Files\Microsoft Office\root\Office16`),
				s.ipEvidence(ip, "commandAndControl"), s.urlEvidence(url),
			}
		},
	},
	{
		title:       "'Tarnbeil' malware was prevented",
		description: "Malware and unwanted software undesirably change devices or steal data. The file was stopped before it ran; how it came to the device is not known.",
		actions:     deviceActions, category: "Malware", techniques: []string{"T1204.002"}, severities: []string{"informational", "low"},
		service: endpoint, detection: "antivirus", product: "Microsoft Defender Antivirus", prefix: "da", threat: "Trojan:Win32/Tarnbeil.A!ml", family: "Tarnbeil",
		evidence: func(s *scene) []object {
			return []object{
				s.deviceEvidence("Windows10"), s.userEvidence("contextual"),
				s.fileEvidence("setup_"+s.hex(3)+".exe", `C:\Users\`+s.account+`\Downloads`), s.fileEvidence("updater.dll", `C:\ProgramData\Cache`),
			}
		},
	},
	{
		title:       "A process read the memory of LSASS",
		description: "A process that is not part of Windows opened the Local Security Authority process with rights to read its memory. Passwords, hashes and tickets of everybody signed in to the device may have been taken.",
		actions:     deviceActions, category: "CredentialAccess", techniques: []string{"T1003.001", "T1003"}, severities: []string{"high"},
		service: endpoint, detection: "windowsDefenderAtp", product: "Microsoft Defender for Endpoint", prefix: "da",
		evidence: func(s *scene) []object {
			return []object{
				s.deviceEvidence("WindowsServer2022"), s.userEvidence("compromised"),
				s.processEvidence("rundll32.exe", system32, `rundll32.exe C:\windows\system32\comsvcs.dll, MiniDump 712 C:\Temp\`+s.hex(3)+`.dmp full`, "cmd.exe", system32),
				s.fileEvidence(s.hex(3)+".dmp", `C:\Temp`),
			}
		},
	},
	{
		title:       "A program registered itself to start with Windows",
		description: "A value was written to a registry key whose programs start with every sign-in. The program it names lies in a folder that every user may write to and carries no signature.",
		actions:     deviceActions, category: "Persistence", techniques: []string{"T1547.001", "T1112"}, severities: []string{"low", "medium"},
		service: endpoint, detection: "customDetection", product: "Microsoft Defender for Endpoint", prefix: "da",
		evidence: func(s *scene) []object {
			key := `SOFTWARE\Microsoft\Windows\CurrentVersion\Run`
			return []object{
				s.deviceEvidence("Windows10"), s.registryKeyEvidence(key), s.registryValueEvidence(key, "OneSync", `"C:\Users\Public\onesync.exe" /quiet`),
				s.processEvidence("reg.exe", system32, `reg add HKLM\`+key+` /v OneSync /t REG_SZ /d "C:\Users\Public\onesync.exe /quiet" /f`, "cmd.exe", system32),
				s.fileEvidence("onesync.exe", `C:\Users\Public`),
			}
		},
	},
	{
		title:       "Connection to an address used for command and control",
		description: "A device connected at regular intervals to an address that is known to control implants. Size and rhythm of the traffic fit a beacon, not a person.",
		actions:     deviceActions, category: "CommandAndControl", techniques: []string{"T1071.001", "T1573"}, severities: []string{"medium", "high"},
		service: endpoint, detection: "windowsDefenderSmartScreen", product: "Microsoft Defender for Endpoint", prefix: "da", actor: "Storm-0000",
		evidence: func(s *scene) []object {
			remote := s.publicIP()
			return []object{
				s.deviceEvidence("Linux"), s.ipEvidence(remote, "commandAndControl", "destination"), s.urlEvidence("https://telemetry-sync.example/v2/ping"),
				s.processEvidence("python3.11", "/usr/bin", "/usr/bin/python3 -c 'import base64,ssl;…'", "bash", "/usr/bin"),
				s.evidence("networkConnection", "suspicious", []string{}, pair{"protocol", "tcp"}, pair{"sourcePort", 49152 + s.random.IntN(16000)}, pair{"destinationPort", 443},
					pair{"sourceAddress", s.ipEvidence(s.privateIP(), "source")}, pair{"destinationAddress", s.ipEvidence(remote, "destination")}),
			}
		},
	},
	{
		title:       "Messages with a phishing URL were removed after delivery",
		description: "Messages were delivered whose URL was later found to lead to a page that collects passwords. They have been moved out of the mailboxes; whoever opened them before may have followed the link.",
		actions:     mailActions, category: "InitialAccess", techniques: []string{"T1566.002", "T1566"}, severities: []string{"informational", "medium"},
		service: office, detection: "microsoftDefenderForOffice365", product: "Microsoft Defender for Office 365", prefix: "fa",
		evidence: func(s *scene) []object {
			url := "https://login.supplier-portal.example/" + s.hex(4)
			return []object{s.messageEvidence("Overdue invoice "+s.hex(2)+" – Größe prüfen, 請確認", url), s.mailboxEvidence(), s.mailClusterEvidence(), s.urlEvidence(url)}
		},
	},
	{
		title:       "A new inbox rule forwards mail outside the organization",
		description: "A rule was created in a mailbox that forwards or deletes messages by words such as 'invoice' and 'payment'. Intruders use such rules to follow a payment and to hide the answers.",
		actions:     mailActions, category: "Exfiltration", techniques: []string{"T1114.003", "T1564.008"}, severities: []string{"medium"},
		service: office, detection: "officeATP", product: "Microsoft Defender for Office 365", prefix: "fa",
		evidence: func(s *scene) []object {
			return []object{
				s.mailboxEvidence(), s.userEvidence("compromised"), s.ipEvidence(s.publicIP(), "source"),
				s.evidence("mailboxConfiguration", "suspicious", []string{}, pair{"configurationId", s.guid()}, pair{"configurationType", "mailForwardingRule"},
					pair{"displayName", ".."}, pair{"externalDirectoryObjectId", s.guid()}, pair{"mailboxPrimaryAddress", s.account + "@" + s.domain}, pair{"upn", s.account + "@" + s.domain}),
			}
		},
	},
	{
		title:       "Suspected replication of directory secrets from a workstation",
		description: "A computer that is not a domain controller asked a domain controller to replicate account secrets. Whoever did so can now act as any account of the domain.",
		actions:     userActions, category: "CredentialAccess", techniques: []string{"T1003.006"}, severities: []string{"high"},
		service: identity, detection: "microsoftDefenderForIdentity", product: "Microsoft Defender for Identity", prefix: "aa",
		evidence: func(s *scene) []object {
			return []object{
				s.userEvidence("attacker"), s.deviceEvidence("WindowsServer2019"), s.deviceEvidence("Windows11"), s.ipEvidence(s.privateIP(), "source"),
				s.evidence("activeDirectoryDomain", "unknown", []string{"attacked"}, pair{"activeDirectoryDomainName", s.company + ".example"}, pair{"trustedDomains", []object{}}),
			}
		},
	},
	{
		title:       "Unfamiliar sign-in properties",
		description: "An account signed in with properties it has not shown before: network, location and device are all new. This can be a journey; it can also be somebody with the password and a stolen factor.",
		actions:     userActions, category: "InitialAccess", techniques: []string{"T1078.004", "T1078"}, severities: []string{"low", "medium", "high"},
		service: "azureAdIdentityProtection", detection: "azureAdIdentityProtection", product: "Microsoft Entra ID Protection", prefix: "ad",
		evidence: func(s *scene) []object {
			return []object{s.userEvidence("compromised"), s.ipEvidence(s.publicIP(), "attacker"), s.cloudLogonSessionEvidence(), s.cloudLogonRequestEvidence(), s.ipEvidence(s.publicIP(), "contextual")}
		},
	},
	{
		title:       "Mass download by a single user",
		description: "A user downloaded far more files from a cloud application within an hour than in the month before, from an address that the organization does not use otherwise.",
		actions:     userActions, category: "Exfiltration", techniques: []string{"T1530", "T1567.002"}, severities: []string{"medium"},
		service: "microsoftDefenderForCloudApps", detection: "microsoftDefenderForCloudApps", product: "Microsoft Defender for Cloud Apps", prefix: "ca",
		evidence: func(s *scene) []object {
			return []object{s.userEvidence("suspicious"), s.cloudApplicationEvidence("Microsoft SharePoint Online"), s.ipEvidence(s.publicIP(), "source"), s.fileEvidence("Payroll 2026.xlsx", "/sites/finance/Shared Documents"), s.fileEvidence("Customers.csv", "/sites/sales/Shared Documents")}
		},
	},
	{
		title:       "An application with broad rights was consented to and used at once",
		description: "An OAuth application was granted the right to read all mailboxes and read several hundred messages within minutes of the consent. Its publisher is not verified and its name imitates a well-known product.",
		actions:     userActions, category: "Collection", techniques: []string{"T1528", "T1114.002"}, severities: []string{"medium", "high"},
		service: "microsoftAppGovernance", detection: "appGovernancePolicy", product: "App Governance", prefix: "ma",
		evidence: func(s *scene) []object {
			return []object{
				s.evidence("oauthApplication", "suspicious", []string{}, pair{"appId", s.guid()}, pair{"displayName", "Offlce Mail Sync"}, pair{"objectId", s.guid()}, pair{"publisher", "unverified"}),
				s.evidence("servicePrincipal", "suspicious", []string{}, pair{"appId", s.guid()}, pair{"appOwnerTenantId", s.guid()}, pair{"servicePrincipalName", "Offlce Mail Sync"},
					pair{"servicePrincipalObjectId", s.guid()}, pair{"servicePrincipalType", "application"}, pair{"tenantId", s.tenantID}),
				s.userEvidence("contextual"), s.cloudApplicationEvidence("Microsoft Exchange Online"), s.mailboxEvidence(),
			}
		},
	},
	{
		title:       "DLP policy match: payment data shared outside the organization",
		description: "A document with more than ten card numbers was shared with a recipient outside the organization. The policy allowed it after the user gave a business justification.",
		actions:     mailActions, category: "Exfiltration", techniques: []string{"T1567"}, severities: []string{"low", "medium"},
		service: "dataLossPrevention", detection: "microsoftDataLossPrevention", product: "Microsoft Data Loss Prevention", prefix: "dl",
		evidence: func(s *scene) []object {
			return []object{s.userEvidence("policyViolator"), s.fileEvidence("Chargebacks Q3.xlsx", "/personal/"+s.account+"/Documents"), s.cloudApplicationEvidence("Microsoft OneDrive for Business"), s.mailboxEvidence()}
		},
		details: func(s *scene) object {
			return object{{"Policy", "Card data"}, {"Rule", "More than ten numbers"}, {"MatchCount", pick(s, "12", "48", "301")}, {"UserJustification", "Asked for by the acquirer"}}
		},
	},
	{
		title:       "Digital currency mining in a container",
		description: "A process in a container of the cluster uses names, arguments and a network protocol that are typical of miners of digital currency. The image was not built by the organization's pipeline.",
		actions:     cloudActions, category: "Impact", techniques: []string{"T1496", "T1610"}, severities: []string{"high"},
		service: "microsoftDefenderForCloud", detection: "microsoftDefenderForContainers", product: "Microsoft Defender for Cloud", prefix: "dc", newer: true,
		evidence: func(s *scene) []object {
			subscription, cluster := s.guid(), s.company+"-aks-prod"
			resource := "/subscriptions/" + subscription + "/resourceGroups/" + s.company + "-prod/providers/Microsoft.ContainerService/managedClusters/" + cluster
			image := s.evidence("containerImage", "suspicious", []string{}, pair{"imageId", "sha256:" + s.hex(32)}, pair{"registry", nil}, pair{"digestImage", nil})
			return []object{
				s.evidence("azureResource", "unknown", []string{"attacked"}, pair{"resourceId", resource}, pair{"resourceName", cluster}, pair{"resourceType", "Kubernetes Service"}),
				s.evidence("kubernetesPod", "suspicious", []string{}, pair{"name", "web-" + s.hex(4)}, pair{"podIp", object{{"ipAddress", s.privateIP()}}}, pair{"labels", object{{"app", "web"}}},
					pair{"namespace", object{{"name", "shop"}}}, pair{"containers", []object{{{"name", "side"}, {"containerId", s.hex(32)}}}}),
				s.evidence("container", "suspicious", []string{}, pair{"containerId", s.hex(32)}, pair{"name", "side"}, pair{"image", image}, pair{"isPrivileged", true},
					pair{"args", []string{"--donate-level", "0", "-o", "stratum+tcp://pool.example:3333"}}, pair{"command", []string{"/tmp/kworker"}}, pair{"pod", nil}).set("remediationStatus", "active"),
				image, s.ipEvidence(s.publicIP(), "destination"),
			}
		},
	},
	{
		title:       "Rare administrative command from a new address",
		description: "An analytics rule of the organization matched: an account that administers the firewall signed in from an address not seen in ninety days and changed a rule within ten minutes.",
		actions:     userActions, category: "DefenseEvasion", techniques: []string{"T1562.004"}, severities: []string{"informational", "low", "medium"},
		service: "microsoftSentinel", detection: "scheduledAlerts", product: "Microsoft Sentinel", prefix: "sn", newer: true,
		evidence: func(s *scene) []object {
			return []object{
				s.userEvidence("suspicious"), s.ipEvidence(s.publicIP(), "source"), s.deviceEvidence("Linux").set("remediationStatus", "unremediated"),
				s.evidence("dns", "unknown", []string{}, pair{"domainName", "vpn." + s.company + ".example"}, pair{"dnsServerIp", object{{"ipAddress", s.privateIP()}}}, pair{"hostIpAddress", object{{"ipAddress", s.publicIP()}}}, pair{"ipAddresses", []object{}}),
			}
		},
		details: func(s *scene) object {
			return object{{"Rule", "[\"edge-permit-any\"]"}, {"Firewall", "[\"" + s.company + "-fw1\"]"}, {"FirstSeenDays", "[\"90\"]"}}
		},
	},
}
