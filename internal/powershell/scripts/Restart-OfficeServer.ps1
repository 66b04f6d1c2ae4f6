<#
.SYNOPSIS
Restarts Office Online's service and IIS where they run older settings.
.DESCRIPTION
What started after this machine's farm settings were written, and after
NotBefore, is left running; so doing it again does nothing. Where no settings
file is found everything is restarted.
The written procedure only has iisreset, after each HTTP switch; the product
itself asks for a restart of every machine when its certificate changes.
Source: Microsoft, Set-OfficeWebAppsFarm, -CertificateName; "Configure
server-to-server authentication between Office Online Server and SharePoint
Server 2016".
.PARAMETER NotBefore
Also restart what started before this moment.
#>
[CmdletBinding()]
param([Nullable[datetime]] $NotBefore)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Assert-Elevated
$before = Get-SettingsTime
if ($null -eq $before) { $before = Get-MachineTime }
if ($null -ne $NotBefore -and $NotBefore.ToUniversalTime() -gt $before) { $before = $NotBefore.ToUniversalTime() }

$restarted = New-Object System.Collections.Generic.List[string]
if (Restart-OlderService -Name WACSM -Before $before) { $restarted.Add('WACSM') }
if (Restart-OlderWorker -Before $before) { $restarted.Add('IIS') }

[pscustomobject] @{ changed = $restarted.Count -gt 0; restarted = $restarted }
