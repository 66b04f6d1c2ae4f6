<#
.SYNOPSIS
Changes the farm's settings for connections without TLS.
.DESCRIPTION
It runs on the master. A setting that is not given is not changed.
Source: Microsoft, "Configure server-to-server authentication between Office
Online Server and SharePoint Server 2016", "Configure Office Online Server to
use the certificate for server-to-server authentication".
.PARAMETER AllowOutboundHttp
Whether Office Online Server may call SharePoint over HTTP.
.PARAMETER AllowHttpSecureStoreConnections
Whether it may use Secure Store over HTTP, which sends passwords in clear text.
#>
[CmdletBinding()]
param(
    [Nullable[bool]] $AllowOutboundHttp,
    [Nullable[bool]] $AllowHttpSecureStoreConnections
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Assert-Elevated
Import-OfficeModule
Assert-Master
$farm = Get-OfficeWebAppsFarm
$settings = New-Object System.Collections.Generic.List[string]

if ($null -ne $AllowOutboundHttp -and [bool] $farm.AllowOutboundHttp -ne $AllowOutboundHttp) {
    Set-OfficeWebAppsFarm -AllowOutboundHttp:$AllowOutboundHttp -Confirm:$false -Force | Out-Null
    $settings.Add('AllowOutboundHttp')
}
if ($null -ne $AllowHttpSecureStoreConnections -and
    [bool] $farm.AllowHttpSecureStoreConnections -ne $AllowHttpSecureStoreConnections) {
    Set-OfficeWebAppsFarm -AllowHttpSecureStoreConnections:$AllowHttpSecureStoreConnections -Confirm:$false -Force | Out-Null
    $settings.Add('AllowHttpSecureStoreConnections')
}

$farm = Get-OfficeWebAppsFarm
if (($null -ne $AllowOutboundHttp -and [bool] $farm.AllowOutboundHttp -ne $AllowOutboundHttp) -or
    ($null -ne $AllowHttpSecureStoreConnections -and
    [bool] $farm.AllowHttpSecureStoreConnections -ne $AllowHttpSecureStoreConnections)) {
    Stop-Script -Id 'SettingNotKept' -Message 'the farm does not have the HTTP settings that were set'
}

[pscustomobject] @{ changed = $settings.Count -gt 0; settings = $settings }
