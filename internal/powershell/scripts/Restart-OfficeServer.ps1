<#
.SYNOPSIS
Restarts the service of Office Online Server and IIS if they run with older
settings.
.DESCRIPTION
What has loaded what is set now, and did not start before NotBefore, keeps running, so
that a second run changes nothing. What was loaded is noted in the registry (see
prelude/loaded.ps1). Without a note and without a settings file everything is
restarted. Services that are stopped are started, and must run in the end.
Microsoft's procedure only has iisreset, after each HTTP setting. The product
itself asks for a restart of every machine when its certificate changes.
Source: Microsoft, Set-OfficeWebAppsFarm, -CertificateName; "Configure
server-to-server authentication between Office Online Server and SharePoint
Server 2016".
.PARAMETER NotBefore
Restart what started before this moment.
.PARAMETER UnlessNoted
Restart what started before this moment, unless the note proves that it has loaded
what is set now.
#>
[CmdletBinding()]
param(
    [Nullable[datetime]] $NotBefore,
    [Nullable[datetime]] $UnlessNoted
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Assert-Elevated
Import-OfficeModule
$began = Get-MachineTime
$restarted = New-Object System.Collections.Generic.List[string]
# While the service is stopped, the settings cannot be read.
if (-not (Get-ServiceRecord -Name WACSM).running -and (Restart-OlderService -Name WACSM -Before $began)) { $restarted.Add('WACSM') }
$note = Get-LoadedNote
$settings = Get-SettingsToLoad
# Settings that arrived while it started may or may not have been loaded.
$written = Get-SettingsTime
$known = $restarted.Count -eq 0 -or ($null -ne $written -and $written -lt $began)

$before = Get-RestartBound -Note $note -Settings $settings -Now $began -NotBefore $NotBefore -UnlessNoted $UnlessNoted
if ($restarted.Count -eq 0 -and (Restart-OlderService -Name WACSM -Before $before)) { $restarted.Add('WACSM') }
if (Restart-OlderIis -Before $before) { $restarted.Add('IIS') }

if ('WACSM' -in $restarted) { Assert-ServiceRunning -Name WACSM -Since $began }
if ('IIS' -in $restarted) { Assert-ServiceRunning -Name W3SVC, WAS -Since $began }
$noted = 'WACSM' -notin $restarted -and (Test-NoteCurrent -Note $note -Settings $settings)
if ($restarted.Count -gt 0 -and -not $noted) {
    if ($null -ne $settings -and $known) { Save-LoadedNote -Settings $settings -Since $began }
    else { Clear-LoadedNote }
}

[pscustomobject] @{ changed = $restarted.Count -gt 0; restarted = $restarted }
