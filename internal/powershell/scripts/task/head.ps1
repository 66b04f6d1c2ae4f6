<#
.SYNOPSIS
Runs what farmtrust asks of SharePoint, as an account that reaches SQL Server.
.DESCRIPTION
A scheduled task runs this as a group managed service account. It takes no
parameters: administrators write requests into the folder "requests" beside it,
and it writes one answer for each into "results". A request names one of the
verbs at the end of this file, and holds values that are checked before
anything runs: the two registered issuer names of the procedure, certificates
without keys, sites and names. What is granted, and at which scope, no request
can say. Sign this file and install it with Install-FarmtrustTask.ps1.
Source: Microsoft, "Configure server-to-server authentication between Office
Online Server and SharePoint Server 2016".
#>
[CmdletBinding()]
param()

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'
