<#
.SYNOPSIS
Runs farmtrust's SharePoint scripts as an account that can reach SQL Server.
.DESCRIPTION
A scheduled task runs this script as a group managed service account. It takes no
parameters: administrators write requests into the folder "requests" beside it,
and it writes a result for each into "results". A request names one of the verbs
at the end of this file and contains values that are checked before anything
runs: the two registered issuer names of the procedure, certificates without
keys, sites and names. No request can choose which right is granted, or at which
scope. Sign this file and install it with Install-FarmtrustTask.ps1.
Source: Microsoft, "Configure server-to-server authentication between Office
Online Server and SharePoint Server 2016".
#>
[CmdletBinding()]
param()

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'
