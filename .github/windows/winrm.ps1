<#
.SYNOPSIS
Opens WinRM over HTTPS, and makes an account that may use it.
.DESCRIPTION
The account is a local administrator. Its password, random, is written as
password. The policy lets its remote sessions have administrator rights.
Source: Microsoft, "How to configure WinRM for HTTPS"; "User Account Control
and remote restrictions".
.PARAMETER Folder
The folder that ca.ps1 wrote to.
#>
[CmdletBinding()]
param([Parameter(Mandatory = $true)] [string] $Folder)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Enable-PSRemoting -SkipNetworkProfileCheck -Force
Get-ChildItem -Path WSMan:\localhost\Listener | Where-Object { $_.Keys -contains 'Transport=HTTPS' } | Remove-Item -Recurse -Force
$thumbprint = [System.IO.File]::ReadAllText("$Folder\winrm.thumbprint")
$null = New-Item -Path WSMan:\localhost\Listener -Transport HTTPS -Address * -CertificateThumbPrint $thumbprint -Force

$password = [Guid]::NewGuid().ToString() + '-Aa1'
Write-Output "::add-mask::$password"
[System.IO.File]::WriteAllText("$Folder\password", $password)
$secure = ConvertTo-SecureString -String $password -AsPlainText -Force
$null = New-LocalUser -Name farmtrust -Password $secure
Add-LocalGroupMember -SID S-1-5-32-544 -Member farmtrust
& "$PSScriptRoot\filter.ps1" -Rights $true
