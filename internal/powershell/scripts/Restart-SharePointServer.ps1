<#
.SYNOPSIS
Restarts IIS and SharePoint's timer service if they started too early.
.DESCRIPTION
A SharePoint server may take up to a day to recognise a changed issuer unless IIS
is restarted, and the timer service has its own copy of the trusts. What started
after NotBefore keeps running. Services that are stopped are started, and must run
in the end.
Source: Microsoft, "Use the high-trust configuration scripts for SharePoint";
"Replace the STS certificate".
.PARAMETER NotBefore
Restart what started before this moment on this server's clock.
#>
[CmdletBinding()]
param([Parameter(Mandatory = $true)] [datetime] $NotBefore)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Assert-Elevated
$began = Get-MachineTime
$restarted = New-Object System.Collections.Generic.List[string]
if (Restart-OlderIis -Before $NotBefore) { $restarted.Add('IIS') }
if (Restart-OlderService -Name SPTimerV4 -Before $NotBefore) { $restarted.Add('SPTimerV4') }

if ('IIS' -in $restarted) { Assert-ServiceRunning -Name W3SVC, WAS -Since $began }
if ('SPTimerV4' -in $restarted) { Assert-ServiceRunning -Name SPTimerV4 -Since $began }

[pscustomobject] @{ changed = $restarted.Count -gt 0; restarted = $restarted }
