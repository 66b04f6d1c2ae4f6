<#
.SYNOPSIS
Reads the public part of a certificate and, if a path is given, writes it to a
file.
.DESCRIPTION
The format is DER encoded binary X.509, never with a key. A file that already
contains the same bytes is not written again.
Source: Microsoft, "Configure server-to-server authentication between Office
Online Server and SharePoint Server 2016", "Export the certificate for use on
SharePoint Server".
.PARAMETER Thumbprint
The certificate in the Personal store.
.PARAMETER Path
A path on this server; empty for none.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [ValidatePattern('^[0-9A-F]{40}$')] [string] $Thumbprint,
    [string] $Path = ''
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

$der = (Get-OwnCertificate -Thumbprint $Thumbprint).RawData
$changed = $false
if ($Path -ne '') {
    $held = Read-FileBytes -Path $Path
    if ($null -eq $held -or [Convert]::ToBase64String($held) -cne [Convert]::ToBase64String($der)) {
        Write-FileBytes -Path $Path -Bytes $der
        $changed = $true
    }
}

[pscustomobject] @{ changed = $changed; der = $der }
