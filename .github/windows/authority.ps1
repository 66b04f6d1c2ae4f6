<#
.SYNOPSIS
Makes an authority of one's own, and a certificate from it for WinRM.
.DESCRIPTION
Writes the authority's certificate as ca.pem, and the thumbprint of the other
as winrm.thumbprint.
Source: Microsoft, New-SelfSignedCertificate, -Signer and -TextExtension.
.PARAMETER Folder
Where to write; it is made.
#>
[CmdletBinding()]
param([Parameter(Mandatory = $true)] [string] $Folder)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

$null = New-Item -Path $Folder -ItemType Directory -Force
$authority = New-SelfSignedCertificate -Subject 'CN=farmtrust test authority' -KeyUsage CertSign, CRLSign `
    -TextExtension '2.5.29.19={critical}{text}ca=1&pathlength=0' -CertStoreLocation Cert:\LocalMachine\My
$server = New-SelfSignedCertificate -DnsName $env:COMPUTERNAME, 'localhost' -Signer $authority -CertStoreLocation Cert:\LocalMachine\My

$base64 = [Convert]::ToBase64String($authority.RawData, [System.Base64FormattingOptions]::InsertLineBreaks)
$pem = "-----BEGIN CERTIFICATE-----`n" + $base64.Replace("`r", '') + "`n-----END CERTIFICATE-----`n"
[System.IO.File]::WriteAllText("$Folder\ca.pem", $pem)
[System.IO.File]::WriteAllText("$Folder\winrm.thumbprint", $server.Thumbprint)
