<#
.SYNOPSIS
Observes one SharePoint server: the machine, when its services started, and how it
responds for the farm's sites.
.DESCRIPTION
Changes nothing. It uses none of SharePoint's cmdlets and so needs no access to
SQL Server. For an account without administrator rights it returns only the
machine.
Source: Microsoft, "Replace the STS certificate": iisreset and a restart of
SPTimerV4 on every server.
.PARAMETER Sites
The URLs of the site collections that are requested from this very server.
#>
[CmdletBinding()]
param([string[]] $Sites = @())

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

# Without administrator rights neither services nor processes can be read.
if (-not (Test-Elevated)) { return [pscustomobject] @{ machine = Get-Machine } }

$timer = Get-ServiceRecord -Name SPTimerV4
$webServer = Get-ServiceRecord -Name W3SVC
$activation = Get-ServiceRecord -Name WAS
$responses = @(Get-OwnSite -Sites $Sites)

[pscustomobject] @{
    timer = $timer
    webServer = $webServer
    activation = $activation
    lastErrors = @(Get-ServiceError -Service $timer, $webServer, $activation -Response $responses)
    workersSince = Get-WorkerStart
    sites = $responses
    machine = Get-Machine
}
