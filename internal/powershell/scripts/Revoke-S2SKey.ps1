<#
.SYNOPSIS
Revokes the read access to a certificate's key that was granted to an account.
.DESCRIPTION
It removes only the access entry that Grant-S2SKey adds. If the account can read the
key by another entry, another administrator granted that, and the script ends with an
error. Without the certificate, or without its key, there is nothing to revoke.
Source: Microsoft, FileSystemSecurity.RemoveAccessRuleSpecific.
.PARAMETER Thumbprint
The certificate in the Personal store.
.PARAMETER Sid
The account's security identifier, S-1-5-20 for NETWORK SERVICE.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [ValidatePattern('^[0-9A-F]{40}$')] [string] $Thumbprint,
    [Parameter(Mandatory = $true)] [ValidatePattern('^S-1-[0-9-]+$')] [string] $Sid
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Assert-Elevated
$certificate = Find-PersonalCertificate -Thumbprint $Thumbprint
$file = $null
if ($null -ne $certificate -and $certificate.HasPrivateKey) { $file = Find-KeyFile -Certificate $certificate }
$changed = $false
if ($null -ne $file -and $Sid -in @(Get-KeyReader -File $file)) {
    Remove-KeyReader -File $file -Sid $Sid
    if ($Sid -in @(Get-KeyReader -File $file)) {
        Stop-Script -Id 'ChangedSince' -Message "$Sid can read $file by another access entry than the one that was added for it"
    }
    $changed = $true
}

[pscustomobject] @{ changed = $changed }
