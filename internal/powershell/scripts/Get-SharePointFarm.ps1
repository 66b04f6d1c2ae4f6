<#
.SYNOPSIS
Observes a SharePoint farm: its trusted issuers and root authorities, its app
permissions, the services that these need, and its servers.
.DESCRIPTION
Changes nothing. It runs on a front end and needs access to the configuration
database.
Source: Microsoft, "Configure server-to-server authentication between Office
Online Server and SharePoint Server 2016"; SPWebApplication and
SPServiceApplicationProxyGroup; "Configure site mailboxes in SharePoint Server" on
App Management and Subscription Settings. Types of services as SharePointDsc finds
them; those of their proxies are inferred from the cmdlets that make them.
.PARAMETER Sites
The site collections whose app permissions and service proxies are read.
.PARAMETER RegisteredNames
The registered names of the issuers to return, in lower case. Issuers of the same
application, the part before the @, are returned too.
.PARAMETER Names
The display names that new issuers would get. An issuer that already has one is
returned too.
.PARAMETER Thumbprints
Certificates: every issuer that holds one is returned.
#>
[CmdletBinding()]
param(
    [string[]] $Sites = @(),
    [string[]] $RegisteredNames = @(),
    [string[]] $Names = @(),
    [ValidatePattern('^[0-9A-F]{40}$')] [string[]] $Thumbprints = @()
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Import-SharePoint
$farm = Get-Farm

$applications = @(foreach ($registered in $RegisteredNames) { $registered.Split('@')[0] })
$issuers = @(foreach ($issuer in Get-SPTrustedSecurityTokenIssuer) {
    $registered = ([string] $issuer.RegisteredIssuerName).ToLowerInvariant()
    $thumbprint = ''
    $der = New-Object byte[] 0
    if ($null -ne $issuer.SigningCertificate) {
        $thumbprint = [string] $issuer.SigningCertificate.Thumbprint
        $der = $issuer.SigningCertificate.RawData
    }
    if ($registered.Split('@')[0] -notin $applications -and $issuer.Name -notin $Names -and $thumbprint -notin $Thumbprints) { continue }
    [pscustomobject] @{
        name = [string] $issuer.Name
        registeredName = $registered
        thumbprint = $thumbprint
        certificate = $der
        # The object has no property IsTrustBroker; IsSelfIssuer is its complement.
        trustBroker = -not $issuer.IsSelfIssuer
        description = [string] $issuer.Description
        since = Get-MarkTime -Text $issuer.Description
    }
})

$authorities = @(foreach ($authority in Get-SPTrustedRootAuthority) {
    $thumbprint = ''
    if ($null -ne $authority.Certificate) { $thumbprint = [string] $authority.Certificate.Thumbprint }
    [pscustomobject] @{ name = [string] $authority.Name; thumbprint = $thumbprint }
})

$profileService = 'Microsoft.Office.Server.Administration.UserProfileApplication'
$proxied = New-Object System.Collections.Generic.List[string]
$permissions = @(foreach ($url in $Sites) {
    $site = Get-SPSite -Identity $url
    try {
        foreach ($proxy in $site.WebApplication.ServiceApplicationProxyGroup.Proxies) {
            if ($proxy.GetType().FullName -eq "${profileService}Proxy" -and -not $proxied.Contains($url)) { $proxied.Add($url) }
        }
        foreach ($registered in $RegisteredNames) {
            $permission = Get-AppPermission -Web $site.RootWeb -RegisteredName $registered
            [pscustomobject] @{
                site = $url
                registeredName = $registered
                right = $permission.Right
                appOnly = $permission.AppOnly
            }
        }
    }
    finally { $site.Dispose() }
})

# Found by type, because the display names of services are localized. Of another
# farm's service there is only a proxy here.
$services = @(foreach ($service in Get-SPServiceApplication) { $service.GetType().FullName })
$proxies = @(foreach ($proxy in Get-SPServiceApplicationProxy) { $proxy.GetType().FullName })

# Database and mail servers have the role Invalid.
$members = @(foreach ($server in Get-SPServer) {
    if ([string] $server.Role -ne 'Invalid') { [string] $server.Name }
})

[pscustomobject] @{
    version = [string] $farm.BuildVersion
    issuers = $issuers
    rootAuthorities = $authorities
    permissions = $permissions
    userProfileServices = @($services -eq $profileService).Count
    userProfileProxies = @($proxies -eq "${profileService}Proxy").Count
    proxiedSites = @($proxied)
    appManagement = @($services + $proxies -match '\.AppManagementServiceApplication(Proxy)?$').Count
    subscriptionSettings = @($services + $proxies -match '\.SPSubscriptionSettingsServiceApplication(Proxy)?$').Count
    allowOAuthOverHttp = [bool] (Get-SPSecurityTokenServiceConfig).AllowOAuthOverHttp
    members = $members
    machine = Get-Machine
}
