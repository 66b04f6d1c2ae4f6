<#
.SYNOPSIS
Removes SharePoint's trusted root authorities that hold one of the certificates.
.DESCRIPTION
They are found by certificate, whatever their names. The farm's own authority,
local, is never removed, nor is one that the certificate of another issuer needs.
Source: Microsoft, Remove-SPTrustedRootAuthority; KB2545744 on the authority
local.
.PARAMETER Thumbprints
The certificates.
.PARAMETER RegisteredNames
The registered names, in lower case, of the issuers whose needs do not count.
#>
[CmdletBinding()]
param(
    [ValidatePattern('^[0-9A-F]{40}$')] [string[]] $Thumbprints = @(),
    [string[]] $RegisteredNames = @()
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Import-SharePoint
$null = Get-Farm
$others = @(foreach ($issuer in Get-SPTrustedSecurityTokenIssuer) {
    $registered = ([string] $issuer.RegisteredIssuerName).ToLowerInvariant()
    if ($null -ne $issuer.SigningCertificate -and $registered -notin $RegisteredNames) { $issuer }
})
$authorities = @(Get-SPTrustedRootAuthority)
$kept = New-Object System.Collections.Generic.List[string]
$names = @(foreach ($authority in $authorities) {
    if ($authority.Name -eq 'local' -or $null -eq $authority.Certificate -or $authority.Certificate.Thumbprint -notin $Thumbprints) { continue }
    $needy = @(foreach ($issuer in $others) {
        if (Test-Chain -Certificate $issuer.SigningCertificate -Authority $authority.Certificate -Among $authorities) { [string] $issuer.Name }
    })
    if ($needy.Count -eq 0) { [string] $authority.Name }
    else { $kept.Add("'$($authority.Name)', which issuer '$($needy[0])' needs") }
})

foreach ($name in $names) { Remove-SPTrustedRootAuthority -Identity $name -Confirm:$false | Out-Null }

foreach ($authority in Get-SPTrustedRootAuthority) {
    if ($authority.Name -in $names) {
        Stop-Script -Id 'SettingNotKept' -Message "root authority '$($authority.Name)' is still there after it was removed"
    }
}

[pscustomobject] @{ changed = $names.Count -gt 0; removed = $names; kept = @($kept) }
