<#
.SYNOPSIS
Lists what on an office server still names a certificate.
.DESCRIPTION
Changes nothing. It checks the farm's two certificate names, the TLS bindings of
http.sys and the listeners of WinRM. An archived certificate counts as present.
Source: Microsoft, Set-OfficeWebAppsFarm; "Netsh Commands for Hypertext Transfer
Protocol (HTTP)", show sslcert; about_WSMan_Provider.
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
if ($null -ne $certificate) {
    $friendlyName = [string] $certificate.FriendlyName
    $archived = [bool] $certificate.Archived
}

[pscustomobject] @{
    present = $null -ne $certificate
    archived = $archived
    uses = @(Find-CertificateUse -Thumbprint $Thumbprint -FriendlyName $friendlyName)
}
