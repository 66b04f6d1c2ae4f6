<#
.SYNOPSIS
Starts the services of Office Online Server and IIS that are stopped.
.DESCRIPTION
Where all run, it changes nothing. A stopped service does not learn of a setting that
the farm changes: it starts with this machine's own copy of the settings, and only if
the name in there selects one certificate. Of the certificates that are given, the one
with that name is unarchived, and those that share its subject are archived. The
format of the copy is undocumented, so that the names alone are looked for, as the
text of an element or an attribute. Where it has several of them, or none, no
certificate is touched. The note of an earlier restart goes: what is set may change
before the next one.
Source: sharepointpain.com, 2025, on the settings file and on certificates with one
subject.
.PARAMETER Certificates
The certificates that the settings may name: Thumbprint and FriendlyName of each.
#>
[CmdletBinding()]
param([object[]] $Certificates = @())

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Assert-Elevated
$began = Get-MachineTime
# In the order in which they depend on one another.
$stopped = @(foreach ($name in 'WAS', 'W3SVC', 'WACSM') { if (-not (Get-ServiceRecord -Name $name).running) { $name } })
$named = @(Find-SettingsCertificate -Certificates $Certificates)
$friendlyName = ''
$note = '; its settings.xml has none of the names that were looked for, or several'
if ($named.Count -eq 1) {
    $friendlyName = [string] $named[0].FriendlyName
    $note = "; its settings.xml has the name '$friendlyName'"
}

if ($stopped.Count -gt 0 -and $named.Count -eq 1) { Select-Certificate -Thumbprint $named[0].Thumbprint -Certificates $Certificates }
if ('WACSM' -in $stopped) { Clear-LoadedNote }
foreach ($name in $stopped) {
    if ($name -eq 'WACSM') { Restart-WaitedService -Name $name -Note $note }
    else { Restart-WaitedService -Name $name }
}
if ($stopped.Count -gt 0) { Assert-ServiceRunning -Name $stopped -Since $began }

[pscustomobject] @{ changed = $stopped.Count -gt 0; started = $stopped; named = $friendlyName }
