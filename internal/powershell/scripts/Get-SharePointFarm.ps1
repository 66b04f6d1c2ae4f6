<#
.SYNOPSIS
Observes a SharePoint farm: its trusted issuers and root authorities, its app
permissions and its servers.
.DESCRIPTION
Changes nothing. It runs on a front end and needs access to the configuration
database.
Source: Microsoft, "Configure server-to-server authentication between Office
Online Server and SharePoint Server 2016".
.PARAMETER Sites
The site collections whose app permissions are read.
.PARAMETER RegisteredNames
The registered names of the issuers to return, in lower case.
.PARAMETER Names
The display names that new issuers would get. An issuer that already has one is
returned too.
#>
[CmdletBinding()]
param(
    [string[]] $Sites = @(),
    [string[]] $RegisteredNames = @(),
    [string[]] $Names = @()
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Import-SharePoint
$farm = Get-Farm

$issuers = @(foreach ($issuer in Get-SPTrustedSecurityTokenIssuer) {
    $registered = ([string] $issuer.RegisteredIssuerName).ToLowerInvariant()
    if ($registered -notin $RegisteredNames -and $issuer.Name -notin $Names) { continue }
    $thumbprint = ''
    $der = New-Object byte[] 0
    if ($null -ne $issuer.SigningCertificate) {
        $thumbprint = [string] $issuer.SigningCertificate.Thumbprint
        $der = $issuer.SigningCertificate.RawData
    }
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

$permissions = @(foreach ($url in $Sites) {
    $site = Get-SPSite -Identity $url
    try {
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

# Found by type, because the display name of a service application is localized.
$profileServices = @(foreach ($service in Get-SPServiceApplication) {
    if ($service.GetType().FullName -eq 'Microsoft.Office.Server.Administration.UserProfileApplication') { $service }
})

# Database and mail servers have the role Invalid.
$members = @(foreach ($server in Get-SPServer) {
    if ([string] $server.Role -ne 'Invalid') { [string] $server.Name }
})

[pscustomobject] @{
    version = [string] $farm.BuildVersion
    issuers = $issuers
    rootAuthorities = $authorities
    permissions = $permissions
    userProfileServices = $profileServices.Count
    members = $members
    machine = Get-Machine
}
