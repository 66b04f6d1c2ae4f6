<#
.SYNOPSIS
Restarts the service of Office Online Server and IIS if they run with older
settings.
.DESCRIPTION
What started after this machine's farm settings were written, and after NotBefore,
keeps running, so that a second run changes nothing. Without a settings file
everything is restarted.
Microsoft's procedure only has iisreset, after each HTTP setting. The product
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
