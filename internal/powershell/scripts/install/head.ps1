<#
.SYNOPSIS
Installs farmtrust's SharePoint task on this front end.
.DESCRIPTION
Run it in an elevated Windows PowerShell, with farmtrust-sharepoint.ps1 in the
same folder. It creates C:\Program Files\farmtrust with access lists that inherit
nothing, copies the signed script there, trusts its publisher on this machine,
and registers the scheduled task farmtrust-sharepoint, which has no trigger. Run
it again to install another version. First sign the script with a code-signing
certificate that this machine trusts:
  Set-AuthenticodeSignature -FilePath farmtrust-sharepoint.ps1 -Certificate $certificate -HashAlgorithm SHA256 -TimestampServer $url
Source: Microsoft, about_Signing and about_Execution_Policies;
New-ScheduledTaskPrincipal; New-ScheduledTaskSettingsSet.
.PARAMETER Account
The group managed service account that the task runs as, such as
CONTOSO\farmtrust-sp$. It must be installed on this machine, be a SharePoint
shell administrator, and hold the right to log on as a batch job.
.PARAMETER Publisher
The thumbprint of the certificate that you signed the script with. A script that
anyone else has signed is not installed, and nobody else becomes a trusted publisher.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [ValidateNotNullOrEmpty()] [string] $Account,
    [Parameter(Mandatory = $true)] [ValidatePattern('^[0-9A-Fa-f]{40}$')] [string] $Publisher
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'
