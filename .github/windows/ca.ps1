<#
.SYNOPSIS
Makes a CA of its own, and a certificate from it for WinRM.
.DESCRIPTION
It writes the CA's certificate to ca.pem, and the thumbprint of the other
certificate to winrm.thumbprint.
Source: Microsoft, New-SelfSignedCertificate, -Signer and -TextExtension.
.PARAMETER Folder
The folder to write to, which it creates.
#>
[CmdletBinding()]
param([Parameter(Mandatory = $true)] [string] $Folder)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

$null = New-Item -Path $Folder -ItemType Directory -Force
$ca = New-SelfSignedCertificate -Subject 'CN=farmtrust test CA' -KeyUsage CertSign, CRLSign `
    -TextExtension '2.5.29.19={critical}{text}ca=1&pathlength=0' -CertStoreLocation Cert:\LocalMachine\My
$server = New-SelfSignedCertificate -DnsName $env:COMPUTERNAME, 'localhost' -Signer $ca -CertStoreLocation Cert:\LocalMachine\My

$base64 = [Convert]::ToBase64String($ca.RawData, [System.Base64FormattingOptions]::InsertLineBreaks)
$pem = "-----BEGIN CERTIFICATE-----`n" + $base64.Replace("`r", '') + "`n-----END CERTIFICATE-----`n"
[System.IO.File]::WriteAllText("$Folder\ca.pem", $pem)
[System.IO.File]::WriteAllText("$Folder\winrm.thumbprint", $server.Thumbprint)
