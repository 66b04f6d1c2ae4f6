<#
.SYNOPSIS
Lists what on an office server still names a certificate.
.DESCRIPTION
Changes nothing. It checks the farm's two certificate names, the TLS bindings of
http.sys, WinRM and Remote Desktop, and says what it cannot check. An archived
certificate counts as present.
Source: Microsoft, Set-OfficeWebAppsFarm; "Netsh Commands for Hypertext Transfer
Protocol (HTTP)", show sslcert; about_WSMan_Provider; Win32_TSGeneralSetting.
.PARAMETER Thumbprint
The certificate.
#>
[CmdletBinding()]
param([Parameter(Mandatory = $true)] [ValidatePattern('^[0-9A-F]{40}$')] [string] $Thumbprint)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Assert-Elevated
Import-OfficeModule
$certificate = Find-PersonalCertificate -Thumbprint $Thumbprint
$friendlyName = ''
$archived = $false
$wildcard = $false
if ($null -ne $certificate) {
    $friendlyName = [string] $certificate.FriendlyName
    $archived = [bool] $certificate.Archived
    $wildcard = Test-Wildcard -Certificate $certificate
}

[pscustomobject] @{
    present = $null -ne $certificate
    archived = $archived
    wildcard = $wildcard
    uses = @(Find-CertificateUse -Thumbprint $Thumbprint -FriendlyName $friendlyName)
    notes = @(Find-UnreadableUse)
}
