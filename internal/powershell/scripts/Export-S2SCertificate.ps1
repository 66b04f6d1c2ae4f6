<#
.SYNOPSIS
Reads the public part of a certificate.
.DESCRIPTION
The format is DER encoded binary X.509, never with a key. Nothing is written to a
file, as the procedure does by hand: SharePoint gets these bytes themselves.
Source: Microsoft, "Configure server-to-server authentication between Office
Online Server and SharePoint Server 2016", "Export the certificate for use on
SharePoint Server".
.PARAMETER Thumbprint
The certificate in the Personal store.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [ValidatePattern('^[0-9A-F]{40}$')] [string] $Thumbprint
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

[pscustomobject] @{ der = (Get-OwnCertificate -Thumbprint $Thumbprint).RawData }
