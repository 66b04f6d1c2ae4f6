<#
.SYNOPSIS
Selects the certificate that the farm signs its tokens with.
.DESCRIPTION
It runs on the master. Office Online Server selects the certificate by its friendly
name alone, so the script first checks that exactly one certificate has the name.
Source: Microsoft, "Configure server-to-server authentication between Office
Online Server and SharePoint Server 2016", "Configure Office Online Server to
use the certificate for server-to-server authentication".
.PARAMETER FriendlyName
The certificate's friendly name.
.PARAMETER Thumbprint
The certificate that must have the name.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [ValidateNotNullOrEmpty()] [string] $FriendlyName,
    [Parameter(Mandatory = $true)] [ValidatePattern('^[0-9A-F]{40}$')] [string] $Thumbprint
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Assert-Elevated
Import-OfficeModule
Assert-Master
$certificate = Get-OwnCertificate -Thumbprint $Thumbprint
if ($certificate.FriendlyName -cne $FriendlyName) {
    Stop-Script -Id 'WrongCertificate' -Message "certificate $Thumbprint has the friendly name '$($certificate.FriendlyName)', not '$FriendlyName'"
}
Assert-FriendlyNameFree -FriendlyName $FriendlyName -Thumbprint $Thumbprint

$previous = [string] (Get-OfficeWebAppsFarm).S2SCertificateName
$changed = $false
if ($previous -cne $FriendlyName) {
    Set-OfficeWebAppsFarm -S2SCertificateName $FriendlyName -Confirm:$false -Force | Out-Null
    $now = [string] (Get-OfficeWebAppsFarm).S2SCertificateName
    if ($now -cne $FriendlyName) {
        Stop-Script -Id 'SettingNotKept' -Message "the farm's S2S certificate name is '$now' after it was set to '$FriendlyName'"
    }
    $changed = $true
}

[pscustomobject] @{ changed = $changed; previous = $previous }
