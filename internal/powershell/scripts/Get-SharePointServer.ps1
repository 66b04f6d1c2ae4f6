<#
.SYNOPSIS
Observes one SharePoint server: the machine, and since when its services run.
.DESCRIPTION
Changes nothing and uses none of SharePoint's cmdlets, so that it needs no
access to SQL Server. An account without administrator rights is told of the
machine alone.
Source: Microsoft, "Replace the STS certificate": iisreset and a restart of
SPTimerV4 on every server.
#>
[CmdletBinding()]
param()

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

# Without administrator rights neither services nor processes answer.
if (-not (Test-Elevated)) { return [pscustomobject] @{ machine = Get-Machine } }

[pscustomobject] @{
    timer = Get-ServiceRecord -Name SPTimerV4
    workersSince = Get-WorkerStart
    machine = Get-Machine
}
