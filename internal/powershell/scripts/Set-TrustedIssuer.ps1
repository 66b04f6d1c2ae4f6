<#
.SYNOPSIS
Registers a trusted security token issuer, or gives it another certificate,
and grants its app principal full control.
.DESCRIPTION
The issuer is found by its registered name, whatever its display name, and updated
in place. The time is recorded at the end of its description. The permission is
granted on the root web of each site, at the scope of the site subscription,
unless it exists.
Source: Microsoft, "Configure server-to-server authentication between Office
Online Server and SharePoint Server 2016", "To register a trusted token issuer".
.PARAMETER Name
The display name of a new issuer.
.PARAMETER RegisteredName
The registered issuer name.
.PARAMETER Certificate
The issuer's certificate, DER in base64.
.PARAMETER Sites
Top-level site collections.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [ValidateNotNullOrEmpty()] [string] $Name,
    [Parameter(Mandatory = $true)] [ValidatePattern('^[0-9a-f-]{36}@[0-9a-f-]{36}$')] [string] $RegisteredName,
    [Parameter(Mandatory = $true)] [ValidateNotNullOrEmpty()] [string] $Certificate,
    [Parameter(Mandatory = $true)] [ValidateCount(1, 1000)] [string[]] $Sites
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Import-SharePoint
$null = Get-Farm
$signing = New-PublicCertificate -Der ([Convert]::FromBase64String($Certificate))
$created = $false
$updated = $false

$found = @(Find-Issuer -RegisteredName $RegisteredName)
if ($found.Count -gt 1) {
    Stop-Script -Id 'IssuerAmbiguous' -Message "$($found.Count) issuers have the registered name $RegisteredName"
}
if ($found.Count -eq 0) {
    foreach ($other in Get-SPTrustedSecurityTokenIssuer) {
        if ($other.Name -eq $Name) {
            Stop-Script -Id 'NameTaken' -Message "issuer '$Name' already exists with the registered name '$($other.RegisteredIssuerName)'"
        }
    }
    New-SPTrustedSecurityTokenIssuer -Name $Name -Certificate $signing -RegisteredIssuerName $RegisteredName `
        -Description (ConvertTo-MarkedText -Text '') -Confirm:$false | Out-Null
    $created = $true
}
elseif ($null -eq $found[0].SigningCertificate -or $found[0].SigningCertificate.Thumbprint -ne $signing.Thumbprint) {
    # Before Subscription Edition both the certificate and the registered name
    # are mandatory. Without -IsTrustBroker a trust broker would no longer be one.
    $broker = -not $found[0].IsSelfIssuer
    $description = ConvertTo-MarkedText -Text $found[0].Description
    if ($broker) {
        Set-SPTrustedSecurityTokenIssuer -Identity $found[0].Name -Certificate $signing -RegisteredIssuerName $RegisteredName `
            -Description $description -IsTrustBroker -Confirm:$false | Out-Null
    }
    else {
        Set-SPTrustedSecurityTokenIssuer -Identity $found[0].Name -Certificate $signing -RegisteredIssuerName $RegisteredName `
            -Description $description -Confirm:$false | Out-Null
    }
    $updated = $true
}

$issuer = @(Find-Issuer -RegisteredName $RegisteredName)[0]
if ($issuer.SigningCertificate.Thumbprint -ne $signing.Thumbprint) {
    Stop-Script -Id 'SettingNotKept' -Message "issuer '$($issuer.Name)' does not have the certificate that was set"
}

$granted = @(foreach ($url in $Sites) {
    $site = Get-SPSite -Identity $url
    try {
        $permission = Get-AppPermission -Web $site.RootWeb -RegisteredName $RegisteredName
        if ($permission.Right -eq 'FullControl' -and $permission.AppOnly) { continue }
        $app = Get-SPAppPrincipal -Site $url -NameIdentifier $issuer.NameId
        if ($null -eq $app) {
            Stop-Script -Id 'AppPrincipalMissing' -Message "$url knows no app principal $($issuer.NameId)"
        }
        Set-SPAppPrincipalPermission -AppPrincipal $app -Site $site.RootWeb -Scope SiteSubscription -Right FullControl `
            -EnableAppOnlyPolicy -Confirm:$false | Out-Null
        $url
    }
    finally { $site.Dispose() }
})

[pscustomobject] @{
    changed = $created -or $updated -or $granted.Count -gt 0
    created = $created
    updated = $updated
    granted = $granted
    name = [string] $issuer.Name
}
