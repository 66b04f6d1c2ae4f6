package model

// RuleID names a rule that the model enforces.
type RuleID string

// Basis is what a rule rests on.
type Basis string

const (
	// Sourced rules are stated by a public source.
	Sourced Basis = "sourced"
	// Assumed rules are inferred, or stated for something similar; a lab may
	// showEntry otherwise.
	Assumed Basis = "assumed"
)

// Rule is one thing that Windows or a product insists on.
type Rule struct {
	ID   RuleID `json:"id"`
	Text string `json:"text"`
	// Basis and Source say how far to trust it.
	Basis  Basis  `json:"basis"`
	Source string `json:"source"`
}

// The rules of Windows.
const (
	RuleElevation              RuleID = "windows.elevation"
	RuleMachineDown            RuleID = "windows.down"
	RuleMutexAbandoned         RuleID = "windows.mutex-abandoned"
	RuleMutexAccess            RuleID = "windows.mutex-access"
	RuleIISResetLeavesServices RuleID = "windows.iisreset-leaves-services"
	RulePFXAlgorithm           RuleID = "windows.pfx-algorithm"
	RuleProviderByImport       RuleID = "windows.provider-by-import"
	RuleKeySetFlags            RuleID = "windows.key-set-flags"
	RuleKeyAccess              RuleID = "windows.key-access"
	RuleSHA256Provider         RuleID = "windows.sha256-provider"
	RuleLegacyPath             RuleID = "windows.legacy-path"
	RuleArchivedHidden         RuleID = "windows.archived-hidden"
	RuleKeyOutlivesCertificate RuleID = "windows.key-outlives-certificate"
	RuleContainerTaken         RuleID = "windows.key-container-taken"
	RuleServiceFails           RuleID = "windows.service-does-not-start"
	RuleServiceStops           RuleID = "windows.service-stops-again"
	RuleCauseInEventLog        RuleID = "windows.cause-in-event-log"
	RuleIISServices            RuleID = "windows.iis-services"
	RuleIISResetFails          RuleID = "windows.iisreset-fails"
	RulePoolDown               RuleID = "windows.application-pool-down"
	RuleComputerName           RuleID = "windows.computer-name"
)

// The rules of Office Online Server.
const (
	RuleNotJoined        RuleID = "office.not-joined"
	RuleFarmNeedsService RuleID = "office.farm-needs-service"
	RuleSetFarmPrompts   RuleID = "office.set-farm-prompts"
	RuleSetFarmWarns     RuleID = "office.set-farm-warns"
	RuleS2SNameChecked   RuleID = "office.s2s-name-checked"
	RuleEmptyS2SName     RuleID = "office.s2s-name-empty"
	RuleReplication      RuleID = "office.replication"
	RuleLoadAtStart      RuleID = "office.load-at-start"
	RuleSettingsFile     RuleID = "office.settings-file"
	RuleSettingsRewrite  RuleID = "office.settings-rewrite"
	RuleNameMissing      RuleID = "office.friendly-name-missing"
	RuleArchivedNotNamed RuleID = "office.archived-not-named"
	RuleNameAmbiguous    RuleID = "office.friendly-name-ambiguous"
	RuleSameSubject      RuleID = "office.same-subject"
	RuleNoCNG            RuleID = "office.no-cng-key"
	RuleRSAOnly          RuleID = "office.rsa-only"
	RuleFarmNameOnly     RuleID = "office.farm-name-only"
	RuleDNSMachineNames  RuleID = "office.dns-machine-names"
)

// The rules of SharePoint.
const (
	RuleSecondHop                RuleID = "sharepoint.second-hop"
	RuleSQLNumbers               RuleID = "sharepoint.sql-numbers"
	RuleBatchLogon               RuleID = "sharepoint.batch-logon"
	RuleHighImpactPrompts        RuleID = "sharepoint.high-impact-prompts"
	RulePipeBind                 RuleID = "sharepoint.pipe-bind"
	RuleIssuerNameUnique         RuleID = "sharepoint.issuer-name-unique"
	RuleIssuerBinding            RuleID = "sharepoint.issuer-binding"
	RuleTrustBroker              RuleID = "sharepoint.trust-broker"
	RuleIssuerMakesPrincipal     RuleID = "sharepoint.issuer-makes-principal"
	RuleRegisteredNameTwice      RuleID = "sharepoint.registered-name-twice"
	RuleRegisteredNameCase       RuleID = "sharepoint.registered-name-case"
	RuleAuthorityNameUnique      RuleID = "sharepoint.authority-name-unique"
	RuleAuthorityOneCertificate  RuleID = "sharepoint.authority-one-certificate"
	RulePermissionOfSubscription RuleID = "sharepoint.permission-of-subscription"
	RuleAppOnlyStays             RuleID = "sharepoint.app-only-stays"
	RulePropagation              RuleID = "sharepoint.propagation"
	RuleTimerCachesTrust         RuleID = "sharepoint.timer-caches-trust"
	RuleSQLAway                  RuleID = "sharepoint.sql-away"
	RuleSiteCold                 RuleID = "sharepoint.site-cold"
)

// The rules of a token's way from office server to SharePoint server.
const (
	RuleSameForest    RuleID = "token.same-forest"
	RuleUserProfile   RuleID = "token.user-profile"
	RuleOAuthOverHTTP RuleID = "token.oauth-over-http"
	RuleTrustedIssuer RuleID = "token.trusted-issuer"
	RuleChain         RuleID = "token.chain"
	RulePermission    RuleID = "token.permission"
	RuleValidity      RuleID = "token.validity"
)

const (
	procedure  = "Microsoft, Configure server-to-server authentication between Office Online Server and SharePoint Server 2016"
	highTrust  = "Microsoft, high-trust add-ins (sp-dev-docs: creating and packaging high-trust SharePoint Add-ins, configuration scripts)"
	interfaces = "interfaces recorded on real servers by SharePointDsc and OfficeOnlineServerDsc"
)

// Rules lists every rule that the model enforces.
func Rules() []Rule {
	return append(append(windowsRules(), officeRules()...), append(sharePointRules(), tokenRules()...)...)
}

func windowsRules() []Rule {
	return []Rule{
		{RuleElevation, "a remote logon of a local account other than the built-in administrator has no administrator rights unless LocalAccountTokenFilterPolicy is 1", Sourced, "Microsoft, User Account Control remote restrictions"},
		{RuleMachineDown, "a machine that reboots answers nothing, ends its sessions, and starts its services again", Assumed, "common knowledge"},
		{RuleMutexAbandoned, "a mutex whose holder ended without releasing it goes to the next one, who is told", Sourced, "Microsoft, AbandonedMutexException"},
		{RuleMutexAccess, "a mutex that exists is opened by those only whom its access list names", Sourced, "Microsoft, Mutex(Boolean, String, Boolean, MutexSecurity)"},
		{RuleIISResetLeavesServices, "iisreset does not restart other services such as SPTimerV4 or WACSM", Sourced, "Microsoft, Replace the STS certificate for SharePoint Server"},
		{RulePFXAlgorithm, "a PFX with AES or SHA-256 cannot be read before Windows 10 1709 and Server 2019, and fails as a wrong password", Sourced, "dsccommunity/CertificateDsc#153"},
		{RuleProviderByImport, "the PFX may name the key's provider; else X509Store.Add chooses Enhanced v1.0 and Import-PfxCertificate the software key storage provider", Sourced, "Microsoft, PFXImportCertStore; puppetlabs-sslcertificate#62"},
		{RuleKeySetFlags, "without MachineKeySet and PersistKeySet the key does not outlive the import: Keyset does not exist", Sourced, "Microsoft, .NET Framework January 2021 private key lifetime"},
		{RuleKeyAccess, "only accounts with read access to the key file can use the key: Keyset does not exist", Sourced, "Microsoft, NTE_BAD_KEYSET; " + procedure},
		{RuleSHA256Provider, "Enhanced Cryptographic Provider v1.0 cannot sign SHA-256 in plain .NET: Invalid algorithm specified; opened again in a provider of type 24, the key can", Sourced, "Microsoft, Cryptographic Provider Types; .NET Framework, System.IdentityModel, GetSignatureFormatterForSha256"},
		{RuleLegacyPath, "X509Certificate2.PrivateKey does not open a key of a key storage provider: Invalid provider type specified", Sourced, "blogs.technet sujesh 2018, X509Certificate2.get_PrivateKey"},
		{RuleArchivedHidden, "a store shows archived certificates only to those who open it for them", Sourced, "Microsoft, X509Certificate2.Archived and OpenFlags.IncludeArchived"},
		{RuleKeyOutlivesCertificate, "a certificate that is removed from a store leaves its key behind", Sourced, "Microsoft, about_Certificate_Provider, on -DeleteKey"},
		{RuleContainerTaken, "the friendly name of the key in a PFX becomes the name of its container, unless a key has that name: then the key gets another", Sourced, "dotnet/runtime-assets#9; OctopusDeploy/Issues#3689; that it holds for keys of the machine on Windows Server 2016 is inferred"},
		{RuleServiceFails, "a service that does not start leaves Start-Service and Restart-Service with: Failed to start service", Sourced, "PowerShell, ServiceResources.StartServiceFailed; Microsoft, Service Control Manager events 7000 and 7009"},
		{RuleServiceStops, "a service may start and stop again, which the System log notes", Sourced, "sharepointpain.com 2025/04; Microsoft, Service Control Manager event 7034"},
		{RuleCauseInEventLog, "what a service throws at its start is in the Application log, under the service's name, and in no cmdlet's error", Sourced, "sharepointpain.com 2025/04; .NET Framework, ServiceBase.AutoLog"},
		{RuleIISServices, "IIS serves only while WAS and W3SVC run; W3SVC depends on WAS", Sourced, "Microsoft, Introduction to IIS Architectures"},
		{RuleIISResetFails, "iisreset may fail and leave IIS stopped; its exit code is then not 0", Assumed, "Microsoft, IIS event 3206, advises /noforce because of it; the codes are published nowhere"},
		{RuleComputerName, "the computer name has no more than the first 15 letters of the DNS host name", Sourced, "Microsoft, Naming conventions in Active Directory for computers, domains, sites, and OUs"},
		{RulePoolDown, "a site whose application pool is stopped answers 503", Sourced, "Microsoft, HTTP Error 503 Service Unavailable, rapid-fail protection"},
	}
}

func officeRules() []Rule {
	return []Rule{
		{RuleNotJoined, "the cmdlets fail on a machine that is in no farm", Sourced, "OfficeOnlineServerDsc, error text"},
		{RuleFarmNeedsService, "Get-OfficeWebAppsFarm fails while WACSM is stopped", Sourced, "sharepointpain.com 2025/04"},
		{RuleSetFarmPrompts, "Set-OfficeWebAppsFarm asks before it changes a certificate name, unless -Force", Assumed, "seen for CertificateName (jon.netdork.net 2015); the procedure passes -Force for S2SCertificateName"},
		{RuleSetFarmWarns, "Set-OfficeWebAppsFarm warns that every machine in the farm must be restarted", Assumed, "jon.netdork.net 2015, for CertificateName"},
		{RuleS2SNameChecked, "by policy, Set-OfficeWebAppsFarm refuses an S2S name that is missing or ambiguous on the master", Assumed, "documented for CertificateName only"},
		{RuleEmptyS2SName, "by policy, Set-OfficeWebAppsFarm refuses an empty S2S name", Assumed, "nothing public either way"},
		{RuleReplication, "the settings are kept by the master; members see a change after a delay, and while their service runs", Sourced, "jon.netdork.net 2015"},
		{RuleLoadAtStart, "processes use the settings and the certificate of when they started", Assumed, "documented for CertificateName: every machine must be restarted"},
		{RuleSettingsRewrite, "by policy, a machine writes its settings.xml without a change, at a start or again and again", Assumed, "of topology.xml programming4.us tells it; of settings.xml nothing is public"},
		{RuleSettingsFile, "each machine starts with its own settings.xml, which holds the friendly names as text", Assumed, "sharepointpain.com 2025/04 and public runbooks, which edit it; its format is documented nowhere"},
		{RuleNameMissing, "WACSM does not start when a configured friendly name is not in Personal", Assumed, "sharepointpain.com 2025/04, for CertificateName"},
		{RuleArchivedNotNamed, "a friendly name does not stand for an archived certificate", Assumed, "nothing public on how Office Online Server opens the store; the usual way leaves archived ones out"},
		{RuleNameAmbiguous, "a friendly name must be unique over Personal and Trusted Root; WACSM does not start when it is not", Assumed, "Microsoft, Plan Office Online Server, for CertificateName"},
		{RuleSameSubject, "by policy, two certificates of one subject in Personal stop WACSM, unless one is archived", Assumed, "sharepointpain.com 2025/04, for CertificateName; of archived ones nothing is public"},
		{RuleNoCNG, "tokens cannot be signed with a key of a key storage provider: Invalid provider type specified", Assumed, "blogs.msdn boodablog, for SharePoint high-trust certificates"},
		{RuleFarmNameOnly, "the certificate of the sites has the farm's name, and a client that asks for another name gets TrustFailure", Sourced, "Microsoft, Plan Office Online Server; WebExceptionStatus"},
		{RuleDNSMachineNames, "by policy, MachineName and MasterMachineName are DNS names", Assumed, "nothing public either way"},
		{RuleRSAOnly, "tokens are RS256, so the key must be RSA", Sourced, highTrust},
	}
}

func sharePointRules() []Rule {
	return []Rule{
		{RuleSecondHop, "cmdlets need the configuration database; a session without delegation reaches only a local one, and whatever keeps them from it has one text: Cannot access the local farm", Sourced, "blogs.msdn besidethepoint 2010; Microsoft, Making the second hop in PowerShell Remoting"},
		{RuleSQLNumbers, "SQL Server tells by number what keeps an account from a database: 18456 and the account that it saw, 4060, 983; a client that finds no server has 53", Sourced, "Microsoft, Database Engine events and errors, MSSQLSERVER_18456, MSSQLSERVER_4060, MSSQLSERVER_983, MSSQLSERVER_53"},
		{RuleBatchLogon, "a scheduled task logs its account on with credentials that SQL Server takes", Assumed, "how group managed service accounts are meant to be used; with SharePoint cmdlets nothing public"},
		{RuleHighImpactPrompts, "New-, Set- and Remove- of issuers and root authorities prompt, unless -Confirm:$false", Sourced, interfaces},
		{RulePipeBind, "an identity that does not exist cannot be read from the pipebind parameter", Sourced, "EntraCP#136"},
		{RuleIssuerNameUnique, "the name of a trusted security token issuer is unique", Sourced, highTrust},
		{RuleIssuerBinding, "up to 2019, New- and Set-SPTrustedSecurityTokenIssuer need Certificate and RegisteredIssuerName together", Sourced, interfaces},
		{RuleTrustBroker, "an issuer that is updated without -IsTrustBroker is no trust broker any more", Assumed, "the switch has no third state; nothing public on Set-"},
		{RuleIssuerMakesPrincipal, "an app principal is found by the registered name of an issuer, and by nothing that is not registered", Sourced, procedure},
		{RuleRegisteredNameTwice, "by policy, a second issuer with a registered name is valid too, shadowed by the first, or refused", Assumed, "nothing public either way"},
		{RuleRegisteredNameCase, "the letters of a registered issuer name must be lower case", Sourced, highTrust},
		{RuleAuthorityNameUnique, "the name of a trusted root authority is unique", Sourced, highTrust},
		{RuleAuthorityOneCertificate, "a root authority is one certificate without a private key", Sourced, "Microsoft, New-SPTrustedRootAuthority"},
		{RulePermissionOfSubscription, "a permission at scope SiteSubscription holds for every site of the farm", Assumed, "farms without multi-tenancy have one subscription"},
		{RuleAppOnlyStays, "Set-SPAppPrincipalPermission without -EnableAppOnlyPolicy leaves app-only access as it is; Remove- with -DisableAppOnlyPolicy ends it", Assumed, "the two switches belong to two cmdlets; nothing public on the rest"},
		{RulePropagation, "a server recognises a changed trust after iisreset, else within 24 hours", Sourced, highTrust},
		{RuleTimerCachesTrust, "SPTimerV4 uses the trust of when it started", Assumed, "Microsoft, Replace the STS certificate for SharePoint Server, restarts it too"},
		{RuleSiteCold, "a site that was not used since IIS was restarted answers its first request after a minute or more", Sourced, "spjeff.com 2011; bugrapostaci.com 2012"},
		{RuleSQLAway, "SharePoint serves nothing while its SQL Server is away", Sourced, "Microsoft, SharePoint and SQL Server availability: the content is in the databases"},
	}
}

func tokenRules() []Rule {
	return []Rule{
		{RuleSameForest, "both farms are in the same Active Directory forest", Sourced, procedure},
		{RuleUserProfile, "the SharePoint farm has a User Profile service application, or uses another farm's: its proxy is in the group of the site's web application", Sourced, procedure + "; Microsoft, Configure server-to-server authentication in SharePoint Server, on farms that share the service"},
		{RuleOAuthOverHTTP, "a site without TLS takes no tokens unless AllowOAuthOverHttp is set", Sourced, "Microsoft, Configure server-to-server authentication from SharePoint Server to SharePoint in Microsoft 365, and high-trust add-ins"},
		{RuleTrustedIssuer, "the token's certificate is that of an issuer with the registered name: The issuer of the token is not a trusted issuer", Sourced, highTrust},
		{RuleChain, "every certificate of the chain is a trusted root authority", Sourced, highTrust},
		{RulePermission, "the app principal has app-only full control at the site subscription", Sourced, procedure},
		{RuleValidity, "the certificate is valid at the time", Assumed, "usual for X.509; OOS checks it for CertificateName"},
	}
}
